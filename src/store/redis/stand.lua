-- Before every script that reads: where a model stands, in which histories, and how far back it can be told.
local process = string.sub(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)'), 1, 16)
local function stand(head, log)
    local fields = redis.call('HMGET', head, 'revision', 'chain', 'floor')
    return { process, fields[1] or '0', fields[2] or '', fields[3] or '0', redis.call('XLEN', log) }
end
