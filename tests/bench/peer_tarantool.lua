-- tests/bench/peer_tarantool.lua LIBRARY WORK: hands over to peer_tarantool.c within Tarantool.
local run, why = package.loadlib(arg[1], 'peer_tarantool_run')
if not run then
    io.stderr:write(why, '\n')
    os.exit(1)
end
os.exit(run(arg[2] or ''))
