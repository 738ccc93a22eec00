// What must be in a loaded image, found out by GNU tar: how many entries, and the content of a hundred files.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The path of the sample of an image, made at the first call: JSON `{ entries, files: [[path, sha256], …] }`. */
export function sampleOf(images, image) {
  const path = join(images, image, 'sample.json')
  if (existsSync(path)) return path
  const root = mkdtempSync(join(tmpdir(), 'plyfs-sample-'))
  try {
    const layout = join(images, image, 'oci')
    const json = (digest) => JSON.parse(readFileSync(join(layout, 'blobs/sha256', digest.slice(7)), 'utf8'))
    const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))
    for (const { digest } of json(index.manifests[0].digest).layers)
      apply(join(layout, 'blobs/sha256', digest.slice(7)), root)
    const entries = Number(
      execFileSync('bash', ['-c', 'find "$0" -mindepth 1 -printf x | wc -c', root], { encoding: 'utf8' }),
    )
    const all = execFileSync('bash', ['-c', 'cd "$0" && find . -type f -printf "%P\\0" | LC_ALL=C sort -z', root], {
      maxBuffer: 1 << 28,
    })
      .toString('latin1')
      .split('\0')
      .filter((name) => name !== '' && !/[^\x20-\x7e]/.test(name))
    const files = Array.from({ length: 100 }, (_, i) => all[Math.floor((i * 7919 + 13) % all.length)]).map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(root, name)))
        .digest('hex'),
    ])
    writeFileSync(path, JSON.stringify({ entries, files }))
    return path
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** Takes away what the layer removes, then unpacks it over what is there, and takes the markers away again. */
function apply(blob, root) {
  execFileSync('bash', [
    '-c',
    `cd "$1" && tar -tzf "$0" | grep -E '(^|/)\\.wh\\.' | sed 's#^\\./##' > /tmp/plyfs-markers.$$ || true
     while IFS= read -r marker; do
       directory=$(dirname "$marker"); name=$(basename "$marker")
       if [ "$name" = .wh..wh..opq ]; then find "$directory" -mindepth 1 -delete 2>/dev/null || true
       else rm -rf -- "$directory/\${name#.wh.}"; fi
     done < /tmp/plyfs-markers.$$
     tar --numeric-owner -xzpf "$0" --exclude='.wh.*'
     rm -f /tmp/plyfs-markers.$$`,
    blob,
    root,
  ])
  if (readdirSync(root).some((name) => name.startsWith('.wh.'))) throw new Error('a marker was unpacked')
}
