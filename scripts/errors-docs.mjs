// Writes docs/errors.md from the built tables.
import { writeFileSync } from 'node:fs'
import { errorReference } from '../.modules/cli/error-reference.js'
import { errorCodes, PlyError } from '../.modules/index.js'

writeFileSync(new URL('../docs/errors.md', import.meta.url), errorReference({ codes: errorCodes, PlyError }))
