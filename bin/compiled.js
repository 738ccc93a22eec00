'use strict'
// Loads the program with what V8 compiled of it before: compiling takes longer than most commands. Node 20 has nothing for this.
const fs = require('node:fs')
const { homedir } = require('node:os')
const { basename, dirname, join } = require('node:path')
const vm = require('node:vm')

/**
 * The exports of a program that scripts/compiled-program.mjs made. `NAME.cjs` and `NAME-more.cjs` are a comment with their digest and a table
 * of functions, one for each part of the program, which is run when it is first asked for; the second is read by what is not in the first.
 * What is compiled of a file is kept beside it by the build, else in the user's cache directory: by digest and by Node's version, since V8
 * itself compares only lengths.
 *
 * @param loaded the parts that have been run, by name
 */
exports.load = function load(file, loaded = new Map()) {
  const first = tableOf(file)
  let more
  const part = (name) => {
    let exports = loaded.get(name)
    if (exports === undefined) {
      loaded.set(name, (exports = {}))
      if (first[name] === undefined) more ??= tableOf(file.replace(/\.cjs$/, '-more.cjs'))
      ;(first[name] === undefined ? more : first)[name](exports, require, part, file)
    }
    return exports
  }
  return part(basename(file, '.cjs'))
}

function tableOf(file) {
  // ASCII, by the build: a string of one byte a character needs no decoding.
  const source = fs.readFileSync(file, 'latin1')
  const name = `${source.slice(2, source.indexOf('\n'))}-${process.version}-${process.arch}.compiled`
  const caches = [join(dirname(file), name), ...ofUser(name)]
  const cachedData = firstOf(caches)
  const program = new vm.Script(source, { filename: file, cachedData })
  // At the end: what ran is compiled by then. Compiled for other flags of V8 it is left to those who use these.
  if (cachedData === undefined && caches.length > 1) process.on('exit', () => keep(caches[1], program))
  return program.runInThisContext()
}

/** The file in the user's cache directory; none where that is unknown, or not the user's own: it is run as it stands. */
function ofUser(name) {
  const { XDG_CACHE_HOME, HOME } = process.env
  if (!XDG_CACHE_HOME?.startsWith('/') && !HOME) return []
  const base = XDG_CACHE_HOME?.startsWith('/') ? XDG_CACHE_HOME : join(homedir(), '.cache')
  return [join(base, 'plyfs', name)]
}

function firstOf([built, kept]) {
  try {
    return fs.readFileSync(built)
  } catch {}
  if (kept === undefined) return undefined
  let descriptor
  try {
    descriptor = fs.openSync(kept, fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0))
    const { uid, mode } = fs.fstatSync(descriptor)
    if (process.geteuid !== undefined && (uid !== process.geteuid() || (mode & 0o022) !== 0)) return undefined
    return fs.readFileSync(descriptor)
  } catch {
    return undefined
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor)
  }
}

/** Whole or not at all, and never in the way of what was asked for. */
function keep(path, program) {
  const young = `${path}.${process.pid}`
  try {
    fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const descriptor = fs.openSync(young, 'wx', 0o600)
    try {
      fs.writeSync(descriptor, program.createCachedData())
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
    fs.renameSync(young, path)
    forgetOthers(path)
  } catch {
    try {
      fs.unlinkSync(young)
    } catch {}
  }
}

/** What other versions left, once nobody has run them for a month. */
function forgetOthers(path) {
  for (const name of fs.readdirSync(dirname(path))) {
    const other = join(dirname(path), name)
    const { atimeMs, mtimeMs } = fs.lstatSync(other)
    if (name.includes('.compiled') && Date.now() - Math.max(atimeMs, mtimeMs) > 30 * 86_400_000) fs.unlinkSync(other)
  }
}
