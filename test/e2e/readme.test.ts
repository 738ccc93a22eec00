import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { image, realTest } from './tools.ts'
import { workspace } from './workspace.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(project, 'README.md'), 'utf8')
const examples = [...readme.matchAll(/^```(sh|ts) example\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
  language,
  text: text!,
}))

describe('the README', () => {
  realTest('has five examples, and each of them works as it is printed', async () => {
    expect(examples).toHaveLength(5)
    await using work = workspace()
    copyFileSync(join(image(), 'docker.tar'), join(work.path, 'image.tar'))
    mkdirSync(join(work.path, 'bin'))
    symlinkSync(join(project, 'bin', 'ply.js'), join(work.path, 'bin', 'ply'))
    const env = {
      ...process.env,
      PATH: `${join(work.path, 'bin')}:${process.env.PATH}`,
      PLY_ROOT: join(work.path, 'shell-store'),
    }
    for (const [i, { language, text }] of examples.entries()) {
      const told =
        language === 'sh'
          ? spawnSync('bash', ['-euo', 'pipefail', '-c', text], { cwd: work.path, env })
          : spawnSync(process.execPath, [program(work.path, i, text)], { cwd: work.path, env })
      expect(told.status, `example ${i + 1}: ${told.stderr}\n${told.stdout}`).toBe(0)
      if (text.includes('hello.js')) expect(told.stderr.toString()).toBe('')
    }
  })

  test('names every command in its table', () => {
    const docs = readFileSync(join(project, 'docs', 'cli.md'), 'utf8')
    const commands = [...docs.matchAll(/^##+ `?ply ([a-z]+)/gm)].map((match) => match[1]!)
    expect(commands.length).toBeGreaterThan(20)
    const table = readme.slice(readme.indexOf('## Commands'), readme.indexOf('## What is where'))
    expect(commands.filter((command) => !new RegExp(`[\`] ?(ply )?${command}[ \`]|\`${command}`).test(table))).toEqual(
      [],
    )
  })
})

/** An example as a file that Node runs: compiled as a user's project compiles it. */
function program(directory: string, number: number, text: string): string {
  const source = join(directory, `example-${number}.ts`)
  writeFileSync(source, `${text}export {}\n`)
  mkdirSync(join(directory, 'node_modules'), { recursive: true })
  const link = join(directory, 'node_modules', 'plyfs')
  try {
    symlinkSync(project, link)
    symlinkSync(join(project, 'node_modules', '@types'), join(directory, 'node_modules', '@types'))
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
  }
  const compiler = join(project, 'node_modules', '.bin', 'tsc')
  const flags = [
    '--target',
    'es2022',
    '--module',
    'nodenext',
    '--lib',
    'es2023,esnext.disposable',
    '--types',
    'node',
    '--strict',
    '--skipLibCheck',
  ]
  const compiled = spawnSync(compiler, [...flags, source], { cwd: directory })
  if (compiled.status !== 0) throw new Error(`example ${number + 1} does not compile:\n${compiled.stdout}`)
  return source.replace(/\.ts$/, '.js')
}
