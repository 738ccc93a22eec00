import { encodeText } from '../../src/model/bytes.ts'
import type { PlainSpec } from '../support/plain-tree.ts'

/** What is written to, belonging to whoever will write. */
export function writable(uid: number, gid: number): PlainSpec {
  const mine = { uid, gid, mtime: 1_500_000_000_000_000_000n }
  return {
    '': { ...mine, mode: 0o755 },
    'etc/': mine,
    'etc/passwd': { content: 'root:x:0:0\n', ...mine },
    'etc/group': { content: 'root:x:0\n', ...mine },
    'etc/gone': { content: 'gone', ...mine },
    'usr/': mine,
    'usr/lib/': mine,
    'usr/lib/deep/': mine,
    'usr/lib/deep/file': { content: Buffer.alloc(200_000, 'deep '), ...mine },
    'usr/lib/a': { content: 'a', ...mine },
    'usr/lib/b': { content: 'b', ...mine },
    'opaque/': mine,
    'opaque/hidden': { content: 'h', ...mine },
    'opaque/sub/': mine,
    'opaque/sub/hidden': { content: 'h', ...mine },
    'removed/': mine,
    'removed/x': { content: 'x', ...mine },
    'links/': mine,
    'links/one': { content: 'linked', ...mine },
    'links/two': { hardlink: 'links/one' },
    'links/three': { hardlink: 'links/one' },
    [encodeText('größe')]: { content: 'name', ...mine },
    link: { target: 'etc/passwd', ...mine },
  }
}

/** What is done there, by bash; what was changed has one time in the end. */
export const editing = `
umask 022
touch ../start; sleep 0.02
echo more >> etc/passwd
chmod 0600 etc/group
rm etc/gone
echo new > new; ln new etc/new-too; ln usr/lib/a a-too
python3 -c 'import os; os.setxattr("new", "user.note", b"1"); os.setxattr("usr/lib/b", "user.note", b"2")' || true
mkdir renamed; mv usr/lib/deep renamed/deeper
mv usr/lib renamed/lib; mkdir usr/lib; echo b > usr/lib/again
rm -r opaque; mkdir opaque; echo seen > opaque/seen; mkdir opaque/sub
rm -r removed; echo 'a file' > removed
rm links/one; echo ' and more' >> links/two
rm link; ln -s elsewhere link; mkfifo fifo
truncate -s 10M sparse; printf end | dd of=sparse bs=1 seek=5000000 conv=notrunc status=none
dd if=/dev/zero of=renamed/deeper/file bs=4096 seek=3 count=2 conv=notrunc status=none
mv etc/passwd t; mv etc/group etc/passwd; mv t etc/group
mkdir -p a/b/c; echo deep > a/b/c/d; chmod 0700 a/b
find . -newer ../start -print0 | xargs -0 touch -h -d @1600000000
`

/** What is done to any image: the same files each time, since names are sorted. */
export const editingAny = `
umask 022; export LC_ALL=C
touch ../start; sleep 0.02
files() { find . -type f -not -path './new/*' -print0 | sort -z | head -z -n "$2" | tail -z -n "$1"; }
files 200 200 | while IFS= read -r -d '' f; do echo more >> "$f"; done
files 100 400 | xargs -0 -r rm
files 100 600 | xargs -0 -r chmod 0640
files 50 800 | while IFS= read -r -d '' f; do ln "$f" "$f.link"; done
files 50 900 | while IFS= read -r -d '' f; do mv "$f" "$f.moved"; done
big=$(find . -mindepth 1 -maxdepth 2 -type d -not -path ./proc | sort | tail -n 1)
mv "$big" renamed
again=$(find . -mindepth 1 -maxdepth 2 -type d | sort | head -n 3 | tail -n 1)
rm -r "$again"; mkdir "$again"; echo fresh > "$again/fresh"
mkdir new; for i in $(seq 200); do echo $i > new/$i; done
find . -newer ../start -print0 | xargs -0 touch -h -d @1600000000
`
