import { memoryUpper } from '../../src/union/memory-upper.ts'
import { upperContract } from './upper-contract.ts'

upperContract('memoryUpper', memoryUpper, { reopen: (upper) => upper })
