import { decodeText } from '../model/bytes.ts'
import { Pace } from '../model/pace.ts'
import { type LayerStack, standing, type Trail, Trails } from '../trace/index.ts'
import { capableFiles, FileSizes, setIdFiles, worldWritable } from './attribute-rules.ts'
import type { Findings } from './findings.ts'
import { ForbiddenPaths, RequiredPaths } from './path-rules.ts'
import type { CheckRules } from './rules.ts'
import { SecretFiles } from './secret-files.ts'
import type { SecretSearch } from './secrets.ts'
import type { PathQuestion, Visited } from './visited.ts'

/** Asks all that rules ask of paths, of every path that a layer has something at. @throws PLY_ABORTED */
export async function checkPaths(
  stack: LayerStack,
  rules: CheckRules,
  secrets: SecretSearch | undefined,
  findings: Findings,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { size, paths, setId, worldWritable: open, capabilities, secrets: secretRules } = rules
  const questions: readonly PathQuestion[] = [
    ...(paths.required.length > 0 ? [new RequiredPaths(paths, findings)] : []),
    ...(paths.forbidden.length > 0 ? [new ForbiddenPaths(paths, findings)] : []),
    ...(secrets && secretRules ? [new SecretFiles(stack, secretRules, secrets, findings)] : []),
    new FileSizes(size, findings),
    ...(setId ? [setIdFiles(setId, findings)] : []),
    ...(open ? [worldWritable(open, findings)] : []),
    ...(capabilities ? [capableFiles(capabilities, stack, findings)] : []),
  ]
  const pace = new Pace(signal)
  for (const trail of everyTrail(stack)) {
    const visited = visit(stack, trail)
    for (const question of questions) question.visit(visited)
    if (pace.due()) await pace.rest()
  }
  for (const question of questions) question.end?.()
}

function visit({ layers }: LayerStack, trail: Trail): Visited {
  const { path } = trail
  const node = standing(trail)
  if (node === undefined) return { trail, path, now: undefined }
  const layer = node.place.side
  const at = { path: `/${decodeText(path)}`, layer }
  return { trail, path, now: { node, stat: layers[layer]!.view.stat(node.place.ino), at } }
}

function* everyTrail({ layers }: LayerStack): Generator<Trail> {
  const trails = new Trails(layers.map(({ view }) => view))
  const walks = [trails.children(trails.root)]
  for (let walk = walks.at(-1); walk !== undefined; walk = walks.at(-1)) {
    const { done, value } = walk.next()
    if (done) {
      walks.pop()
      continue
    }
    yield value.trail
    if (value.trail.turns.some(({ listing }) => listing !== undefined)) walks.push(trails.children(value.trail))
  }
}
