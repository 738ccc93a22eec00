import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** Makes `three-ways.js`, and what it starts, as they lie in a package; answers with its path. */
export async function threeWaysProgram(folder: string): Promise<string> {
  mkdirSync(folder)
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const bundle = await rolldown({
    cwd: project,
    platform: 'node',
    input: {
      'three-ways': './test/mount/three-ways.ts',
      'serving-thread': './src/mount/serving-thread.ts',
      'background-server': './src/mount/background-server.ts',
      'reading-thread': './src/store/intake/reading-thread.ts',
    },
    external: [/^koffi$/, /^memfs$/],
    // Node 20 does not know `using`.
    transform: { target: 'node20' },
  })
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'part-[name].js' })
  await bundle.close()
  return join(folder, 'three-ways.js')
}
