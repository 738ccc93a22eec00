import { mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { isLeftOut, testFilesOf } from './folders.mjs'
import { cases, load, run } from './harness.mjs'

/**
 * Runs the tests for Stryker in one process that stays: what covers a mutant runs quickest first, and nothing is loaded twice.
 *
 * What a mutant leaves behind in a module could kill the next one. So a test that failed runs once more without the mutant: if it fails
 * then too, the process is thrown away, and the mutant tried again in a new one.
 */
class Runner {
  #out = ''
  /** How long each test takes by itself. @type {Map<string, number>} */
  #took = new Map()
  #strays = 0
  /** Where the changed code looks for the one change that it is to make. */
  #space = (globalThis.__stryker__ ??= {})

  capabilities() {
    return { reloadEnvironment: false }
  }

  async init() {
    process.env.PLYFS_SEED ??= '7'
    console.log = () => undefined
    for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, () => this.#strays++)
    this.#out = mkdtempSync(resolve('.loaded-'))
    const files = testFilesOf(process.env.PLYFS_MUTATED)
    await build({
      entryPoints: files,
      outdir: this.#out,
      // Its own idea of where it is dates from before Stryker came here.
      absWorkingDir: process.cwd(),
      outbase: '.',
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      alias: { plyfs: resolve('src/index.ts') },
      plugins: [outside],
      logLevel: 'error',
    })
    for (const file of files) await load(file, pathToFileURL(join(this.#out, file.replace(/\.ts$/, '.mjs'))).href)
    for (const { id, name } of cases.values()) if (isLeftOut(name)) cases.delete(id)
  }

  async dryRun() {
    this.#space.activeMutant = undefined
    const tests = []
    for (const one of cases.values()) {
      this.#space.currentTestId = one.id
      const { failed, took } = await this.#try(one)
      this.#space.currentTestId = undefined
      const told = { id: one.id, name: one.name, fileName: resolve(one.file), timeSpentMs: took }
      tests.push(failed ? { ...told, status: 1, failureMessage: String(failed) } : { ...told, status: 0 })
    }
    return { status: 'complete', tests, mutantCoverage: this.#space.mutantCoverage }
  }

  async mutantRun({ testFilter, activeMutant, hitLimit }) {
    const chosen = testFilter ? testFilter.map((id) => cases.get(id)) : [...cases.values()]
    chosen.sort((a, b) => this.#cost(a) - this.#cost(b))
    let ran = 0
    for (const one of chosen) {
      ran++
      const { failed, stray, hits, took } = await this.#try(one, activeMutant.id, hitLimit)
      if (hits > hitLimit) return { status: 'timeout', reason: `${hits} times through the mutant` }
      if (!failed) {
        this.#took.set(one.id, took)
        continue
      }
      const alone = await this.#try(one)
      if (alone.failed) throw new Error(`${one.id} fails without a mutant, too: ${alone.failed}`)
      // A stray rejection may come from a test that is over.
      if (stray && !(await this.#try(one, activeMutant.id, hitLimit)).failed) continue
      return { status: 'killed', killedBy: [one.id], failureMessage: String(failed), nrOfTests: ran }
    }
    return { status: 'survived', nrOfTests: ran }
  }

  dispose() {
    if (this.#out) rmSync(this.#out, { recursive: true, force: true })
  }

  #cost({ id }) {
    return this.#took.get(id) ?? 10
  }

  async #try(one, mutant, hitLimit) {
    const space = this.#space
    this.#strays = 0
    space.hitCount = mutant === undefined ? undefined : 0
    space.hitLimit = hitLimit
    space.activeMutant = mutant
    const start = performance.now()
    let failed
    try {
      await run(one)
    } catch (error) {
      failed = error ?? 'nothing was thrown'
    }
    // What is rejected with nobody waiting for it is told in the next turn.
    await setImmediate()
    const took = performance.now() - start
    const hits = space.hitCount ?? 0
    space.activeMutant = space.hitCount = undefined
    const stray = !failed && this.#strays > 0
    return { failed: failed ?? (stray ? 'a rejection that nobody waited for' : undefined), stray, hits, took }
  }
}

/** Packages are loaded as they are, but for what is in the way of running a test thousands of times. */
const outside = {
  name: 'outside',
  setup(bundle) {
    for (const [name, instead] of [
      ['vitest', 'harness.mjs'],
      ['fast-check', 'few-cases.mjs'],
    ]) {
      const path = new URL(instead, import.meta.url).href
      bundle.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path, external: true }))
    }
    bundle.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path === 'plyfs' ? undefined : { path, external: true },
    )
  },
}

const create = () => new Runner()
create.inject = []

export const strykerPlugins = [{ kind: 'TestRunner', name: 'plyfs', factory: create }]
