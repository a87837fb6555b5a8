(module
  (memory (export "memory") 1)
  (func $named (export "receive"))
  (func (export "call.x") (unreachable))
  (@custom "rustorium.abi" "\10\00\00\00\00\01\00\01\00\00\00C\00\00\00\00\00\00\00\00")
  (@custom "name" (after code) "\00"))
