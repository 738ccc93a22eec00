import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How much a program is given to do: what a test has time for, or what users do. */
export type Scale = 'small' | 'full'

/** Something that users do with programs, in a mount of a Debian image. */
export interface ProgramCase {
  readonly name: string
  /** What has to be installed. */
  readonly needs: readonly string[]
  readonly only?: Scale
  /** A directory of root's that it needs, and where in a home it lies. */
  readonly cache?: { from(): string; readonly to: string }
  /**
   * A shell script, run with `-eu` in an empty directory of the mount, `$SCRATCH` being one outside, and `$ROOT` the root of the mount. It fails
   * where something is not as it should be. `$CHROOT` is what changes the root, and `$OWNERS` says whether there are others than who runs it:
   * `many` or `one`.
   */
  script(scale: Scale): string
}

/** What has to be installed for a case, and is not. */
export function missingFor({ needs }: ProgramCase): string | undefined {
  return needs.find((program) => spawnSync('sh', ['-c', 'command -v "$0"', program], { stdio: 'ignore' }).status !== 0)
}

const project = fileURLToPath(new URL('../..', import.meta.url))
const sharedMapping = join(project, 'test/programs/shared-mapping.c')

/** Makes so many small files, 100 a directory. */
const manyFiles = (directory: string, count: number): string => `
  awk -v n=${count} -v d=${directory} 'BEGIN { for (i = 0; i < n; i++) {
    at = d "/" int(i / 100)
    if (i % 100 == 0) system("mkdir -p " at)
    f = at "/file-" i ".txt"
    for (l = 0; l < i % 40; l++) print "line " l " of " i > f
    print i > f
    close(f)
  } }'`

export const programCases: readonly ProgramCase[] = [
  {
    name: 'git clones a repository, from outside and from the mount itself',
    needs: ['git', 'awk'],
    script: (scale) => `
      # Nothing is to go on behind our back: what is cloned would be packed meanwhile.
      export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=gc.auto GIT_CONFIG_VALUE_0=0
      export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e
      mkdir $SCRATCH/repo
      cd $SCRATCH/repo
      git init -q -b main .
      ${manyFiles('.', scale === 'full' ? 10_000 : 250)}
      ln -s 0/file-1.txt link
      chmod +x 0/file-2.txt
      git add .
      git commit -qm one
      cd - >/dev/null
      git clone -q $SCRATCH/repo first
      git clone -q first second
      for clone in first second; do
        cd $clone
        test -z "$(git status --porcelain)"
        git fsck --full --no-progress
        diff -r --no-dereference --exclude=.git . $SCRATCH/repo
        cd ..
      done
      cd second
      git mv 1 moved
      git commit -qm two
      git gc -q
      cd ../first
      git pull -q --no-rebase ../second main
      test -z "$(git status --porcelain)"
      test -d moved
      test ! -e 1
      cd ..
      rm -rf second`,
  },
  {
    name: 'npm installs what a project depends on, and what it installed builds the project',
    needs: ['npm'],
    only: 'full',
    cache: { from: () => execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim(), to: '.npm' },
    script: () => `
      cp -r ${['package.json', 'package-lock.json', 'tsconfig.json', 'src', 'bin', 'scripts'].map((name) => `${project}${name}`).join(' ')} .
      npm ci --offline --no-audit --no-fund --loglevel=error
      npm ls --all >/dev/null
      npm run --silent build
      node bin/ply.js --version`,
  },
  {
    name: 'dpkg installs, verifies and removes a package in a chroot',
    needs: ['dpkg-deb', 'chroot'],
    script: (scale) => `
      p=$SCRATCH/package
      mkdir -p $p/DEBIAN $p/opt/ply-test $p/etc $p/usr/bin
      ${manyFiles('$p/opt/ply-test', scale === 'full' ? 5_000 : 150)}
      echo 'first' > $p/etc/ply-test.conf
      echo /etc/ply-test.conf > $p/DEBIAN/conffiles
      ln -s ../../opt/ply-test/0/file-1.txt $p/usr/bin/ply-test
      make_package() { printf '%s\\n' 'Package: ply-test' "Version: $1" 'Architecture: all' 'Maintainer: n <e@example.com>' \\
        'Description: files' > $p/DEBIAN/control && dpkg-deb --root-owner-group -Znone --build $p $ROOT/tmp/$1.deb >/dev/null; }
      printf '#!/bin/sh\\nset -e\\necho "$@" >> /var/lib/ply-test.log\\n' > $p/DEBIAN/postinst
      chmod 755 $p/DEBIAN/postinst
      make_package 1
      rm -r $p/opt/ply-test/0
      mkdir $p/opt/ply-test/new
      echo new > $p/opt/ply-test/new/file
      make_package 2
      in_root() { LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin $CHROOT $ROOT "$@"; }
      in_root dpkg -i /tmp/1.deb >/dev/null
      in_root dpkg -V ply-test
      test -f $ROOT/opt/ply-test/0/file-99.txt
      echo changed > $ROOT/etc/ply-test.conf
      owned=/opt/ply-test/1/file-101.txt
      if [ $OWNERS = many ]; then in_root dpkg-statoverride --update --add games mail 4750 $owned; fi
      in_root dpkg --force-confold -i /tmp/2.deb >/dev/null
      test ! -e $ROOT/opt/ply-test/0
      if [ $OWNERS = many ]; then
        test "$(stat -c %u:%g:%a $ROOT$owned)" = 5:8:4750
        in_root dpkg-statoverride --remove $owned
      fi
      test "$(cat $ROOT/etc/ply-test.conf)" = changed
      in_root dpkg -i --force-confnew /tmp/1.deb >/dev/null 2>&1
      in_root dpkg -V ply-test
      test "$(wc -l < $ROOT/var/lib/ply-test.log)" = 3
      in_root dpkg --purge ply-test >/dev/null
      test ! -e $ROOT/opt/ply-test
      test ! -e $ROOT/etc/ply-test.conf
      in_root dpkg -i /tmp/2.deb >/dev/null
      in_root dpkg --audit
      rm $ROOT/tmp/1.deb $ROOT/tmp/2.deb`,
  },
  {
    name: 'tar unpacks an archive, and packs the same one again',
    needs: ['tar', 'awk', 'cmp'],
    script: (scale) => `
      mkdir $SCRATCH/tree
      cd $SCRATCH/tree
      ${manyFiles('.', scale === 'full' ? 20_000 : 500)}
      ln -s file-1.txt 0/link
      ln 0/file-2.txt 1/again
      mkfifo pipe
      truncate -s 1M sparse
      chmod 4751 0/file-3.txt
      touch -d '1999-12-31 23:59:59.123456789' 0/file-4.txt
      if [ $OWNERS = many ]; then chown 12:34 0/file-5.txt; fi
      mkdir -m 1777 empty
      pack() { tar --sort=name --format=posix --pax-option=delete=atime,delete=ctime -cf "$1" .; }
      pack $SCRATCH/first.tar
      cd - >/dev/null
      mkdir tree
      cd tree
      tar xpf $SCRATCH/first.tar
      tar df $SCRATCH/first.tar
      pack $SCRATCH/second.tar
      cmp $SCRATCH/first.tar $SCRATCH/second.tar
      cd ..
      cp -a tree copy
      rm -rf tree
      cd copy
      tar df $SCRATCH/first.tar`,
  },
  {
    name: 'make builds C with several compilers at once, and only what changed the next time',
    needs: ['make', 'gcc', 'awk'],
    script: (scale) => `
      awk -v n=${scale === 'full' ? 300 : 16} 'BEGIN {
        print "#define BASE 1" > "base.h"
        for (i = 0; i < n; i++) {
          f = "part" i ".c"
          print "#include \\"base.h\\"\\n#include <string.h>\\nint part" i "(int x) { char b[64]; memset(b, x, sizeof b); return b[" i % 64 "] + BASE; }" > f
          close(f)
          print "int part" i "(int);" > "all.h"
          calls = calls "  sum += part" i "(1);\\n"
        }
        print "#include <stdio.h>\\n#include \\"all.h\\"\\nint main(void) {\\n  int sum = 0;\\n" calls "  printf(\\"%d\\\\n\\", sum);\\n  return 0;\\n}" > "main.c"
        print "objects := $(patsubst %.c,%.o,$(wildcard *.c))\\nCFLAGS := -O1 -MMD\\nsum: $(objects)\\n\\t$(CC) -o $@ $^\\n-include $(objects:.o=.d)" > "Makefile"
      }'
      make -s -j2 sum
      test "$(./sum)" = ${2 * (scale === 'full' ? 300 : 16)}
      make -q sum
      sleep 0.01
      echo '#define BASE 2' > base.h
      if make -q sum; then exit 1; fi
      make -s -j2 sum
      test "$(./sum)" = ${3 * (scale === 'full' ? 300 : 16)}
      sleep 0.01
      touch part0.c
      test "$(make sum | grep -c ' -c ')" = 1
      strip sum
      ./sum >/dev/null`,
  },
  {
    name: 'SQLite keeps what many transactions write, in both of its journals',
    needs: ['sqlite3'],
    script: (scale) => {
      const count = scale === 'full' ? 10_000 : 150
      return `
        for mode in delete wal; do
          { echo "PRAGMA journal_mode=$mode; PRAGMA synchronous=${scale === 'full' ? 'normal' : 'full'}; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n INT); CREATE INDEX i ON t (n);"
            awk -v n=${count} 'BEGIN { for (i = 1; i <= n; i++) {
              print "BEGIN; INSERT INTO t (v, n) VALUES (hex(randomblob(100)), " i % 97 "); UPDATE t SET v = v || 1 WHERE n = " (i * 7) % 97 " AND id % 50 = 0;"
              print (i % 50 == 0 ? "ROLLBACK;" : "COMMIT;") } }'; } > $SCRATCH/sql
          sqlite3 $mode.db < $SCRATCH/sql >/dev/null
          test "$(sqlite3 $mode.db 'PRAGMA integrity_check; SELECT count(*) FROM t')" = "ok
${count - Math.floor(count / 50)}"
          # Two at once: each waits for the other's locks.
          for writer in 1 2; do
            awk 'BEGIN { print ".timeout 60000"; for (i = 0; i < 40; i++) print "INSERT INTO t (v, n) VALUES (1, 1000);" }' | sqlite3 $mode.db &
          done
          wait
          test "$(sqlite3 $mode.db 'PRAGMA integrity_check; SELECT count(*) FROM t WHERE n = 1000; PRAGMA journal_mode = delete; VACUUM')" = "ok
80
delete"
        done`
    },
  },
  {
    name: 'fio verifies what it wrote by calls and by mappings',
    needs: ['fio'],
    script: (scale) => {
      const size = scale === 'full' ? '256m' : '4m'
      const job = (name: string, rest: string): string =>
        `fio --name=${name} --filename=${name} --size=${size} --verify=crc32c --do_verify=1 --verify_fatal=1 --output=$SCRATCH/fio.log --group_reporting ${rest} || { cat $SCRATCH/fio.log; exit 1; }`
      return [
        job('random', '--rw=randwrite --bs=4k --ioengine=psync --fsync=64'),
        job('mixed', '--rw=randrw --bsrange=512-64k --ioengine=psync --verify_backlog=64'),
        job('mapped', '--rw=randwrite --bs=4k --ioengine=mmap --fsync=128'),
        job('streamed', '--rw=write --bs=1m --ioengine=psync --fallocate=posix'),
      ].join('\n')
    },
  },
  {
    name: 'processes share files through their memory',
    needs: ['gcc'],
    script: () => `
      gcc -O1 -Wall -o shared ${sharedMapping}
      ./shared mapped "$(find $ROOT/usr/share -type f -size +8k | sort | head -n 1)"`,
  },
]
