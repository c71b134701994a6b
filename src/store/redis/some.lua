-- KEYS: head, log, records, graves. ARGV: ids. For each its record and the revision of its grave.
local found = {}
for i, id in ipairs(ARGV) do
    found[i] = { redis.call('HGET', KEYS[3], id), redis.call('ZSCORE', KEYS[4], id) }
end
return { stand(KEYS[1], KEYS[2]), found }
