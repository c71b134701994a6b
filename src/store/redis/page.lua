-- KEYS: head, log, records, order. ARGV: after which place, how many, how many bytes, and beyond which revision.
-- Records in the order of their insertion: where the page ends ('' where nothing follows), and id and record in turn.
local most, largest, beyond = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local ids = redis.call('ZRANGE', KEYS[4], '(' .. ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
local found, size, last = {}, 0, #ids < 2 * most and '' or ids[#ids]
for i = 1, #ids, 2 do
    local value = redis.call('HGET', KEYS[3], ids[i])
    if value and tonumber(string.match(value, '^%d+')) > beyond then
        found[#found + 1] = ids[i]
        found[#found + 1] = value
        size = size + #value
    end
    if size > largest and i + 2 <= #ids then
        last = ids[i + 1]
        break
    end
end
return { stand(KEYS[1], KEYS[2]), last, found }
