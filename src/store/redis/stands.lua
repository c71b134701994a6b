-- KEYS: for each model its head and its log. Where models stand. A process that finds the histories of another begins its own.
local all = {}
for i = 1, #KEYS, 2 do
    local here = stand(KEYS[i], KEYS[i + 1])
    if here[3] ~= '' and string.match(here[3], '(%x+):%d+$') ~= process then
        local chain = here[3] .. ' ' .. process .. ':' .. here[2]
        -- Where memory is full that has to wait; nothing depends on it.
        redis.pcall('HSET', KEYS[i], 'chain', chain)
        here[3] = chain
    end
    all[#all + 1] = here
end
return all
