-- KEYS: sessions. ARGV: the node, one that is gone ('' for none), and how long an entry lives (ms). For each session who has it then.
local holders = {}
for i, key in ipairs(KEYS) do
    local known = redis.call('GET', key)
    if known and known ~= ARGV[1] and known ~= ARGV[2] then
        holders[i] = known
    else
        redis.call('SET', key, ARGV[1], 'PX', ARGV[3])
        holders[i] = ARGV[1]
    end
end
return holders
