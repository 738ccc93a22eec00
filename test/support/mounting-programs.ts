import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { keepPrograms, sourceMaps } from './coverage.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Programs of the tests as they lie in a package, with everything that mounting starts beside them: by name the path of each in the project.
 * They are in the folder then, as `NAME.js`.
 */
export async function mountingPrograms(folder: string, programs: Readonly<Record<string, string>>): Promise<void> {
  mkdirSync(folder)
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const bundle = await rolldown({
    cwd: project,
    platform: 'node',
    input: {
      ...programs,
      'serving-thread': './src/mount/serving-thread.ts',
      'background-server': './src/mount/background-server.ts',
      'in-mount': './src/mount/command-in-mount.ts',
      'reading-thread': './src/store/intake/reading-thread.ts',
    },
    external: [/^koffi$/, /^memfs$/],
    // Node 20 does not know `using`.
    transform: { target: 'node20' },
  })
  const { output } = await bundle.write({
    ...{ dir: folder, format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'part-[name].js' },
    sourcemap: sourceMaps && 'hidden',
  })
  await bundle.close()
  keepPrograms(output.filter(({ type }) => type === 'chunk').map(({ fileName }) => join(folder, fileName)))
  writeFileSync(join(folder, 'command-in-mount.js'), "import { start } from './in-mount.js'\nawait start()\n")
}
