-- Commits, one after the other, each whole or not at all. What the node decided rests on premises: where one does not hold,
-- nothing of that commit or of those behind it is done, and the node is told how things really are. Nothing here reads JSON.
--
-- KEYS: the node's last call; the group's outcomes, and their order; then for each model its head, records, order, log, graves,
--       times of the graves, and owners.
-- ARGV: as `call.rs` writes it.
-- A record is stored as "<revision> <inserted at revision> <inserted at, ms> <json>", a grave's time as "<at, ms> <last change>", an
-- entry of the log as "<the record's revision> <inserted at revision> <bytes of the id> <id><json>" under the letter of its kind,
-- an outcome as "<digest> <at, ms> <weight> <text>".

local at = 0
local function take()
    at = at + 1
    return ARGV[at]
end
local function number()
    return tonumber(take())
end
local function text(n)
    return string.format('%.0f', n)
end

-- A process that took over or began again may have lost what others had kept: its histories are its own.
local process = string.sub(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)'), 1, 16)

local node, sequence = take(), number()
-- An answer was lost, and the node asks again; or an old request comes late.
if tonumber(redis.call('GET', KEYS[1]) or '0') >= sequence then
    return { 'repeated' }
end
local publish, largest = take(), number()
local log_entries, tombstones, tombstone_age = number(), number(), number()
local outcomes_kept, outcome_age = number(), number()

local models = {}
for i = 1, number() do
    local k = 4 + (i - 1) * 7
    local head = redis.call('HMGET', KEYS[k], 'revision', 'chain', 'floor')
    local chain = head[2] or ''
    models[i] = {
        head = KEYS[k], records = KEYS[k + 1], order = KEYS[k + 2], log = KEYS[k + 3],
        graves = KEYS[k + 4], times = KEYS[k + 5], owners = KEYS[k + 6], channel = take(),
        revision = tonumber(head[1] or '0'), floor = tonumber(head[3] or '0'),
        chain = chain, is_present = string.match(chain, '(%x+):%d+$') == process,
        news = {}, size = 0,
    }
    models[i].began = models[i].revision
end

-- The records that this is about, each as it is by now.
local looks = {}
for i = 1, number() do
    local model, id = models[number()], take()
    looks[i] = { model = model, id = id, value = redis.call('HGET', model.records, id) }
end
-- Evictions find their records by id.
local function look_of(model, id)
    if not model.looks then
        model.looks = {}
        for _, look in ipairs(looks) do
            if look.model == model then
                model.looks[look.id] = look
            end
        end
    end
    return model.looks[id] or { model = model, id = id, value = redis.call('HGET', model.records, id) }
end

local function owner_of(look)
    return redis.call('HGET', look.model.owners, look.id) or ''
end
local function buried(look)
    return string.match(redis.call('HGET', look.model.times, look.id) or '', ' (%d*)$') or ''
end

-- The revisions that were given to the changes of this call, in the order of the plan.
local made = {}

local function holds(look, expected, owner, grave)
    if string.sub(expected, 1, 1) == '#' then
        expected = text(made[tonumber(string.sub(expected, 2))])
    end
    local revision = look.value and string.match(look.value, '^%d+') or ''
    return revision == expected
        and (owner == '*' or owner_of(look) == owner)
        and (grave == '*' or look.value or buried(look) == grave)
end

local function advance(model)
    if not model.is_present then
        -- So many epochs are remembered for those who come back.
        local _, count = string.gsub(model.chain, ':', ':')
        if count >= 32 then
            model.chain = string.gsub(model.chain, '^%S+ ', '')
        end
        model.chain = model.chain .. (model.chain == '' and '' or ' ') .. process .. ':' .. text(model.revision)
        redis.call('HSET', model.head, 'chain', model.chain)
        model.is_present = true
    end
    model.revision = model.revision + 1
end

local function note(model, kind, id, own, born, json, before_own, before)
    redis.call('XADD', model.log, text(model.revision) .. '-0', kind, own .. ' ' .. born .. ' ' .. #id .. ' ' .. id .. json)
    if publish ~= '' then
        local lengths = kind .. ' ' .. own .. ' ' .. #id .. ' ' .. #json .. ' ' .. before_own .. ' ' .. #before
        local piece = lengths .. '\n' .. id .. json .. before
        model.size = model.size + #piece
        model.news[#model.news + 1] = piece
    end
end

local function remove(look, kind, now, last_change)
    local model, id, value = look.model, look.id, look.value
    local own, born, json = string.match(value, '^(%d+) (%d+) %d+ (.*)$')
    -- First what may be done also where memory is full.
    redis.call('HDEL', model.records, id)
    redis.call('ZREM', model.order, id)
    redis.call('HDEL', model.owners, id)
    advance(model)
    note(model, kind, id, own, born, json, '0', '')
    redis.call('ZADD', model.graves, model.revision, id)
    redis.call('HSET', model.times, id, now .. ' ' .. last_change)
    look.value = false
    return value
end

local function set(look, body, now)
    local model, id, before = look.model, look.id, look.value
    advance(model)
    local revision = text(model.revision)
    local json = body .. ',"_rev":' .. revision .. '}'
    if before then
        local own, born, since, old = string.match(before, '^(%d+) (%d+) (%d+) (.*)$')
        look.value = revision .. ' ' .. born .. ' ' .. since .. ' ' .. json
        redis.call('HSET', model.records, id, look.value)
        note(model, 'u', id, revision, born, json, own, old)
    else
        look.value = revision .. ' ' .. revision .. ' ' .. now .. ' ' .. json
        redis.call('HSET', model.records, id, look.value)
        redis.call('ZADD', model.order, model.revision, id)
        note(model, 'i', id, revision, revision, json, '0', '')
    end
end

-- The oldest go: those that are too many, and behind them those that are too old.
local function evict(model, most, age, now)
    local gone = {}
    local function go(id)
        gone[#gone + 1] = id
        gone[#gone + 1] = remove(look_of(model, id), 'e', now, '')
    end
    local beyond = most and redis.call('ZCARD', model.order) - most or 0
    if beyond > 0 then
        for _, id in ipairs(redis.call('ZRANGE', model.order, 0, beyond - 1)) do
            go(id)
        end
    end
    while age do
        local id = redis.call('ZRANGE', model.order, 0, 0)[1]
        local since = id and string.match(look_of(model, id).value, '^%d+ %d+ (%d+)')
        if not id or tonumber(now) - tonumber(since) <= age then
            break
        end
        go(id)
    end
    return gone
end

-- The parts of a commit. Answers of each where its model stood before and stands after, and what was evicted.
local function apply(now)
    local parts = {}
    for i = 1, number() do
        local model, most, age = models[number()], number(), number()
        local began = model.revision
        for _ = 1, number() do
            local action, look = take(), looks[number()]
            if action == 's' then
                set(look, take(), now)
                made[#made + 1] = model.revision
            elseif action == 'r' then
                remove(look, 'd', now, take())
                made[#made + 1] = model.revision
            else
                redis.call('HSET', model.owners, look.id, take())
            end
        end
        parts[i] = { began, 0, (most or age) and evict(model, most, age, now) or {} }
        parts[i][2] = model.revision
    end
    return parts
end

-- An outcome's text comes in pieces, and between them goes what only the commit gave.
local function outcome(parts)
    local pieces = {}
    for i = 1, number() do
        local piece = take()
        local kind, rest = string.sub(piece, 1, 1), string.sub(piece, 2)
        if kind == '=' then
            pieces[i] = rest
        elseif kind == '#' then
            pieces[i] = text(made[tonumber(rest)])
        elseif kind == '@' then
            pieces[i] = text(parts[tonumber(rest)][2])
        else
            pieces[i] = process
        end
    end
    return table.concat(pieces)
end

local results, latest, named, is_stale = {}, nil, false, false
for i = 1, number() do
    local now, field, digest, weight = take(), take(), take(), take()
    local known = field ~= '' and redis.call('HGET', KEYS[2], field)
    if known then
        results[i] = { 'known', known }
        break
    end
    for _ = 1, number() do
        local model, revision = models[number()], number()
        is_stale = is_stale or model.revision ~= revision
    end
    for _ = 1, number() do
        local look, expected, owner, grave = looks[number()], take(), take(), take()
        is_stale = is_stale or not holds(look, expected, owner, grave)
    end
    if is_stale then
        break
    end
    local parts = apply(now)
    results[i] = { 'done', parts }
    latest = math.max(latest or 0, tonumber(now))
    if field ~= '' then
        local last = tonumber(redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2] or '0')
        local kept = digest .. ' ' .. now .. ' ' .. weight .. ' ' .. outcome(parts)
        redis.call('HSET', KEYS[2], field, kept)
        redis.call('ZADD', KEYS[3], last + tonumber(weight), field)
        named = true
    end
end

local function purge_graves(model, now)
    local beyond = redis.call('ZCARD', model.graves) - tombstones
    local floor = model.floor
    local function forget(grave)
        redis.call('HDEL', model.times, grave[1])
        floor = tonumber(grave[2])
    end
    while beyond > 0 do
        local oldest = redis.call('ZPOPMIN', model.graves, math.min(beyond, 100))
        for i = 1, #oldest, 2 do
            forget({ oldest[i], oldest[i + 1] })
        end
        beyond = beyond - 100
    end
    while true do
        local oldest = redis.call('ZRANGE', model.graves, 0, 0, 'WITHSCORES')
        local since = oldest[1] and string.match(redis.call('HGET', model.times, oldest[1]) or '0', '^%d+')
        if not since or now - tonumber(since) <= tombstone_age then
            break
        end
        redis.call('ZPOPMIN', model.graves)
        forget(oldest)
    end
    if floor > model.floor then
        redis.call('HSET', model.head, 'floor', text(floor))
    end
end

local function purge_outcomes(now)
    local last = tonumber(redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2] or '0')
    while true do
        local first = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
        local since, weight = string.match(first[1] and redis.call('HGET', KEYS[2], first[1]) or '', '^%x+ (%d+) (%d+)')
        local kept = first[1] and last - tonumber(first[2]) + tonumber(weight or '0')
        if not kept or (kept <= outcomes_kept and now - tonumber(since or now) <= outcome_age) then
            break
        end
        redis.call('ZPOPMIN', KEYS[3])
        redis.call('HDEL', KEYS[2], first[1])
    end
end

local heads = {}
for i, model in ipairs(models) do
    heads[i] = model.revision
    if model.revision > model.began then
        redis.call('HSET', model.head, 'revision', text(model.revision))
        redis.call('XTRIM', model.log, 'MAXLEN', '~', log_entries)
        purge_graves(model, latest)
    end
end

if named then
    purge_outcomes(latest)
end
if latest then
    redis.call('SET', KEYS[1], sequence, 'PX', 60000)
end

-- Everybody is told of whole commits only, or of where the model stands, where that would be too long.
for _, model in ipairs(models) do
    if publish ~= '' and #model.news > 0 then
        local about = node .. ' p' .. process .. ' ' .. text(model.began + 1) .. ' ' .. text(model.revision)
        local news = model.size <= largest and table.concat(model.news) or ''
        redis.call(publish, model.channel, about .. '\n' .. news)
    end
end

local truth = {}
if is_stale then
    for i, look in ipairs(looks) do
        truth[i] = { look.value, owner_of(look), look.value and '' or buried(look) }
    end
end
return { process, results, heads, truth }
