-- KEYS: records and log of each state's model. ARGV: revision and id of each. The entry of the log where it is still there, and the record as
-- it is now: of a state that a record once had.
local states = {}
for i = 1, #ARGV / 2 do
    local revision, id = ARGV[2 * i - 1] .. '-0', ARGV[2 * i]
    local entry = redis.call('XRANGE', KEYS[2 * i], revision, revision)[1]
    states[i] = { entry and entry[2][1] or false, entry and entry[2][2] or false, redis.call('HGET', KEYS[2 * i - 1], id) }
end
return states
