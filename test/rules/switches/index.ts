import type { Switches } from '../switch.ts'
import { names } from './names.ts'

/** Every rule of layer-semantics that the tests must notice the absence of. */
export const switches: Switches = { ...names }
