//! Every kernel set that this machine can run keeps the contract.

microtome_kernels::contract!(generic, &microtome_kernels::generic::SET);
microtome_kernels::contract!(dispatched, microtome_kernels::dispatch::best());
