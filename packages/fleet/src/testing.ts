export { type ContractCase, engineContract } from './engine-contract.ts';
export { type FaultyEngine, type FaultyOptions, faulty } from './faulty.ts';
