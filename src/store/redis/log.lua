-- KEYS: head, log. ARGV: after which revision, how many, how many bytes. The changes since: kind and entry in turn.
local first, most, largest = string.format('%.0f', tonumber(ARGV[1]) + 1), tonumber(ARGV[2]), tonumber(ARGV[3])
local here, changes, size = stand(KEYS[1], KEYS[2]), {}, 0
while most > 0 and size <= largest do
    local some = redis.call('XRANGE', KEYS[2], first .. '-0', '+', 'COUNT', math.min(most, 100))
    for _, entry in ipairs(some) do
        changes[#changes + 1] = entry[2][1]
        changes[#changes + 1] = entry[2][2]
        size = size + #entry[2][2]
    end
    if #some < math.min(most, 100) then
        break
    end
    most = most - #some
    first = string.format('%.0f', tonumber(string.match(some[#some][1], '^%d+')) + 1)
end
return { here, changes }
