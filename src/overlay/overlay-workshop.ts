import { type Marks, yes } from '../layer/overlay-marks.ts'
import type { Stat, Xattrs } from '../model/entry.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import type { ExactStat } from '../sys/exact-stat.ts'
import type { Creation, Standing } from '../union/upper.ts'
import type { Asides } from './asides.ts'
import { InodeMaker } from './inode-maker.ts'
import { NameChanges } from './name-changes.ts'
import type { OverlayNode, Place } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import type { OverlayPlace } from './overlay-view.ts'
import { PlaceMarks } from './place-marks.ts'
import { type RealFacts, storing } from './real-facts.ts'
import { StaleWhiteouts } from './stale-whiteouts.ts'
import { UnfinishedContents } from './unfinished-contents.ts'
import { UnnamedFiles } from './unnamed-files.ts'
import type { UpperDisk } from './upper-disk.ts'
import { WorkArea } from './work-area.ts'

/** What can only be done to an upper in overlayfs's form that may be changed. */
export interface Workshop {
  readonly work: WorkArea
  readonly names: NameChanges
  readonly maker: InodeMaker
  readonly put: (place: Place, ino: number, inode: Creation & Standing, content?: Bytes) => void
  readonly unnamed: UnnamedFiles
  readonly unfinished: UnfinishedContents
}

/** What an upper is read with. */
export interface OverlayReading {
  readonly files: UpperDisk
  readonly disk: Disk
  readonly marks: Marks
  readonly nodes: OverlayNodes
  readonly facts: RealFacts
  readonly asides: Asides | undefined
  /** Nobody has been here. */
  readonly fresh: boolean
  /** Whether a new file in a directory has the owner, group and mode that it is made with, and no xattrs. */
  readonly isPlain: (directory: OverlayNode) => boolean
  /** Told of a file that was made in its place, and has no xattrs but its marks. */
  readonly onMade: (node: OverlayNode, real: ExactStat) => void
  readonly said: (of: OverlayNode) => { readonly stat: Stat; readonly xattrs: Xattrs }
}

/** Makes an upper one that can be changed; what processes left that died goes. @throws PLY_UNSUPPORTED after a volatile mount */
export function openWorkshop(place: OverlayPlace, reading: OverlayReading): Workshop {
  const { files, disk, nodes, marks, facts, asides, fresh, said } = reading
  if (fresh) {
    // Before there is anything in the work directory: an upper beside one that is not empty has been opened before.
    storing(() => files.setXattr(place.upperDir, marks.implied, yes))
    facts.begin(nodes.root, place.upperDir)
  }
  const work = new WorkArea(files, place.workDir, { marks, asides })
  const placeMarks = new PlaceMarks(files, nodes, marks, facts)
  const { uuid, firstOwn, frozen } = place
  const { isPlain, onMade } = reading
  const around = { files, disk, nodes, marks, facts, placeMarks, work, uuid, firstOwn, frozen, isPlain, onMade }
  const maker = new InodeMaker(around)
  const staleWhiteouts = new StaleWhiteouts(files, nodes, work, place.workDir)
  const emptied = (of: OverlayNode) => {
    const { stat, xattrs } = said(of)
    return maker.emptied(of, stat, xattrs)
  }
  const names = new NameChanges({ files, nodes, placeMarks, work, staleWhiteouts, emptied })
  nodes.onRelease = ({ index }) => {
    maker.letGo()
    if (index !== undefined) work.clear(index)
  }
  nodes.onClosed = (node, path) => facts.reach(node, path)
  if (asides) nodes.onAll = (all) => asides.sweep(all)
  const unfinished = new UnfinishedContents(files, nodes, work, place.workDir)
  staleWhiteouts.sweep()
  unfinished.sweep()
  return {
    work,
    names,
    maker,
    put: (...what) => maker.put(names, ...what),
    unnamed: new UnnamedFiles(files, disk, work),
    unfinished,
  }
}
