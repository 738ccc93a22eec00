import { type IndexedLayer, type IndexOptions, LayerIndexer, type LayerLimits } from '../../../src/layer/index.ts'
import { memoryBytes } from '../../../src/stream/bytes.ts'
import { type Member, scanTar, TarReader } from '../../../src/tar/index.ts'
import { Random } from '../random.ts'
import { choiceOf, cutsOf } from './cuts.ts'
import { foldAlone, viewOf, walkIndex } from './index-walk.ts'
import { must, nameOf, type Outcome, outcomeNow, outcomeOf, sameRefusal, Violation } from './outcome.ts'
import { readFiles } from './read-view.ts'

/** What a tar may be refused with. */
export const tarRefusals = ['PLY_BAD_LAYER', 'PLY_BUDGET', 'PLY_UNSUPPORTED'] as const
/** What an index may be refused with that was read without complaint. */
const writeRefusals = ['PLY_UNREPRESENTABLE'] as const
const foldRefusals = ['PLY_BAD_LAYER', 'PLY_UNREPRESENTABLE'] as const

/** Small enough for the inputs here to go over them. */
const tightLimits: Partial<LayerLimits> = {
  entries: 12,
  depth: 6,
  logicalSize: 4096,
  xattrSize: 100,
  xattrsSize: 160,
  symlinkSteps: 3,
}

/**
 * Reads an archive in every way there is: in one piece and cut up, pushed and scanned, strict and lenient. What does not
 * agree, or is accepted and cannot be used, is a violation. Answers in a few words what the archive is.
 */
export async function checkTar(tar: Buffer): Promise<string> {
  const choice = choiceOf(tar)
  const limits = (choice >>> 8) % 8 === 0 ? tightLimits : {}
  const whole = indexed([tar], { limits })
  const cut = indexed(cutsOf(tar), { limits })
  sameRefusal(whole, cut, 'in one piece and cut up')
  const read = readers(tar)
  if (read.refusal !== undefined && whole.refusal === undefined)
    throw new Violation('the reader refuses what the indexer takes', read.refusal.message)

  const { value: layer } = whole
  const other: IndexOptions = (choice >>> 4) % 2 === 0 ? { limits, strict: true } : { limits, lenient: true }
  const otherwise = indexed([tar], other)
  if (layer === undefined) {
    if (other.strict) must(otherwise.refusal !== undefined, 'strict takes what is refused otherwise')
    return `${nameOf(whole)} ${nameOf(otherwise)} ${nameOf(read)}`
  }
  const { warningCount, warnings, entries } = layer.findings.report()
  const complaint = nameOf(otherwise)
  if (other.strict)
    must((otherwise.refusal === undefined) === (warningCount === 0), 'strict is not about warnings', () => complaint)
  else must(otherwise.refusal === undefined, 'lenient refuses more', () => complaint)

  must(say(layer.findings.report()) === say(cut.value!.findings.report()), 'cut up, other things are found')
  const index = await written(layer)
  // Writing is what takes time: one of the ways to come to the same index is enough for one input.
  const again = [cut.value!, cut.value!, layer, otherwise.value ?? layer][(choice >>> 16) % 4]!
  await sameIndex(index, again)
  const rules = [...new Set(warnings.map(({ rule }) => rule))].sort().join(',')
  if (index.value === undefined) return `${nameOf(index)} ${rules}`

  const walked = walkIndex(index.value)
  const folded = (choice >>> 12) % 4 === 0 ? await folds(index.value, tar) : ''
  const kinds = [...walked.kinds].sort().join(',')
  return `read ${entries > 0} ${walked.xattrs > 0} ${walked.links > 0} ${kinds} ${rules} ${folded}`
}

function indexed(chunks: Iterable<Uint8Array>, options: IndexOptions): Outcome<IndexedLayer> {
  return outcomeNow(tarRefusals, () => {
    const indexer = new LayerIndexer(options)
    for (const chunk of chunks) indexer.push(chunk)
    return indexer.finish()
  })
}

async function written(layer: IndexedLayer): Promise<Outcome<Buffer>> {
  return outcomeOf(writeRefusals, async () => {
    const chunks: Buffer[] = []
    await layer.writeIndex({ write: (chunk) => void chunks.push(Buffer.from(chunk)) })
    return Buffer.concat(chunks)
  })
}

async function sameIndex(first: Outcome<Buffer>, layer: IndexedLayer): Promise<void> {
  const second = await written(layer)
  sameRefusal(first, second, 'the index is written once, and once refused')
  if (first.value !== undefined && !first.value.equals(second.value!)) throw new Violation('two indexes of one tar')
}

async function folds(index: Buffer, tar: Buffer): Promise<string> {
  const folded = await foldAlone(() => viewOf(index, tar), foldRefusals)
  if (folded.value === undefined) return nameOf(folded)
  const { names } = walkIndex(folded.value.bytes)
  must(
    names === folded.value.names,
    'the folded tree has other names than the stack',
    () => `${names}, ${folded.value!.names}`,
  )
  const view = viewOf(index, tar)
  readFiles(view, new Random(String(choiceOf(tar))))
  view.close()
  return 'folds'
}

/** The two readers of headers, one pushed and one seeking, have to see the same members, and refuse by the same rule. */
function readers(tar: Buffer): Outcome<readonly Member[]> {
  const pushed: Member[] = []
  const first = outcomeNow(tarRefusals, () => {
    const reader = new TarReader({ member: (member) => pushed.push(member) })
    reader.push(tar)
    reader.end()
    return pushed
  })
  const scanned: Member[] = []
  const second = outcomeNow(tarRefusals, () => {
    for (const member of scanTar(memoryBytes(tar))) scanned.push(member)
    return scanned
  })
  must(nameOf(first) === nameOf(second), 'reader and scan disagree', () => `${nameOf(first)}, ${nameOf(second)}`)
  // A member whose content is cut off is seen by the one that does not look ahead.
  if (first.refusal === undefined) must(pushed.length === scanned.length, 'the readers count differently')
  for (let i = 0; i < Math.min(pushed.length, scanned.length); i++) sameMember(pushed[i]!, scanned[i]!)
  return first
}

function sameMember(a: Member, b: Member): void {
  for (const key of Object.keys(a) as (keyof Member)[]) {
    if (key === 'xattrs' || a[key] === b[key]) continue
    if (say(a[key]) !== say(b[key])) throw new Violation('the readers see another member', key)
  }
  must(say([...a.xattrs]) === say([...b.xattrs]), 'the readers see other attributes')
}

function say(value: unknown): string {
  return JSON.stringify(value, (_, one) =>
    typeof one === 'bigint' ? `${one}n` : one instanceof Uint8Array ? Buffer.from(one).toString('latin1') : one,
  )
}
