-- KEYS: leases. ARGV: the node, whether its lease is new, for how long (ms). By this clock. Whether it has run out, who is alive, and the time.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local lapsed = ARGV[2] == '0' and not redis.call('ZSCORE', KEYS[1], ARGV[1])
if not lapsed then
    redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[3]), ARGV[1])
end
return { lapsed and 1 or 0, redis.call('ZRANGE', KEYS[1], 0, -1), now }
