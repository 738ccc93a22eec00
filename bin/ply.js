#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { name, version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

// Answered before anything is loaded: scripts ask it often.
if (process.argv[2] === '--version') process.stdout.write(`${name} ${version}\n`)
else {
  const { start } = await import('../dist/cli.js')
  await start({ name, version, root })
}
