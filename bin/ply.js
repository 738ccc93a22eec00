#!/usr/bin/env node
'use strict'
const { readFileSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')
const { name, version, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

// Answered before anything is loaded: scripts ask it often.
if (process.argv[2] === '--version') {
  process.stdout.on('error', ({ code, message }) => code === 'EPIPE' || fail(`${message} to stdout`, 8))
  process.stdout.write(`${name} ${version}\n`)
} else if (isTooOld(process.versions.node))
  fail(`this is Node.js ${process.versions.node}, and it takes ${engines.node}`)
else loaded(join(root, 'dist/ply.cjs'))?.start({ name, version, root })

function loaded(program) {
  try {
    return require('./compiled.js').load(program)
  } catch (error) {
    if (error.code !== 'ENOENT' || error.path !== program) throw error
    fail(`it is not built: npm ci && npm run build, in ${root}`)
  }
}

/** An older one would stop at the first word of the program that it does not know. */
function isTooOld(node) {
  const [major, minor] = node.split('.').map(Number)
  const [least, leastMinor] = engines.node.match(/\d+/g).map(Number)
  return major < least || (major === least && minor < leastMinor)
}

function fail(why, exitCode = 5) {
  process.stderr.write(`ply: ${why}\n`)
  process.exitCode = exitCode
}
