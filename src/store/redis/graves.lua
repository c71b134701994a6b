-- KEYS: head, log, graves. ARGV: after which revision, how many. What was deleted since: id and revision in turn.
local gone = redis.call('ZRANGE', KEYS[3], '(' .. ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[2], 'WITHSCORES')
return { stand(KEYS[1], KEYS[2]), gone }
