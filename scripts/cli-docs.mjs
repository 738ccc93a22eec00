// Writes docs/cli.md from the built commands.
import { writeFileSync } from 'node:fs'
import { cliReference } from '../.modules/cli/reference.js'

writeFileSync(new URL('../docs/cli.md', import.meta.url), await cliReference())
