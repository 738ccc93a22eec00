#!/usr/bin/env node
'use strict'
const { readFileSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..')
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

// Answered before anything is loaded: scripts ask it often.
if (process.argv[2] === '--version') process.stdout.write(`${name} ${version}\n`)
else require('./compiled.js').load(join(root, 'dist/ply.cjs')).start({ name, version, root })
