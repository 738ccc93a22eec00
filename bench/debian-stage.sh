#!/usr/bin/env bash
# Stages the layer tarballs of the "debian" workload: a small Debian image for tests.
#
#   usage: debian-stage.sh WORKDIR
#
# Leaves WORKDIR/stage/debian/{1-base,2-odd,3-edit}.tar: a minbase root file system; a layer of everything unusual that a
# layer can hold; a layer that deletes, replaces and hides. Needs root, mmdebstrap, GNU tar, setfattr. Skips what is there.
set -euo pipefail

work=${1:?WORKDIR}
st=$work/stage/debian
epoch=${SOURCE_DATE_EPOCH:-1700000000}
mkdir -p "$st"

pack() { # pack DIR OUT [tar options]: deterministic tarball of a tree
  local dir=$1 out=$2
  shift 2
  tar --create --file="$out.tmp" --directory="$dir" --sort=name --numeric-owner \
      --format=pax --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
      --xattrs --xattrs-include='security.capability' --xattrs-include='user.*' "$@" .
  mv "$out.tmp" "$out"
}

apt_sources() { cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list 2>/dev/null || true; }

if [ ! -e "$st/1-base.tar" ]; then
  rm -rf "$st/base"
  apt_sources | grep -v '^#' > "$st/apt.sources"
  SOURCE_DATE_EPOCH=$epoch mmdebstrap --mode=root --variant=minbase --quiet \
      --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
      bookworm "$st/base" - < "$st/apt.sources"
  pack "$st/base" "$st/1-base.tar" --mtime="@$epoch" --clamp-mtime --exclude=./var/cache/apt/'*' --exclude=./var/lib/apt/lists/'*' \
      --exclude=./var/log/'*' --exclude=./etc/resolv.conf --exclude=./etc/hostname --exclude=./etc/machine-id \
      --exclude=./etc/apt/sources.list --exclude=./etc/apt/sources.list.d/'*' --exclude=./proc/'*' --exclude=./sys/'*' --exclude=./tmp/'*'
fi

if [ ! -e "$st/2-odd.tar" ]; then
  o=$st/odd
  rm -rf "$o"
  mkdir -p "$o/srv/odd/deep" "$o/srv/gone" "$o/srv/hidden" "$o/srv/replaced"
  echo one > "$o/srv/odd/hard-a"; ln "$o/srv/odd/hard-a" "$o/srv/odd/hard-b"; ln "$o/srv/odd/hard-a" "$o/srv/odd/deep/hard-c"
  ln -s /etc/passwd "$o/srv/odd/absolute"; ln -s ../../nowhere "$o/srv/odd/dangling"
  mkfifo "$o/srv/odd/fifo"; mknod "$o/srv/odd/null" c 1 3; mknod "$o/srv/odd/minor" b 8 70000
  echo x > "$o/srv/odd/$(printf 'latin1-\xe9')"; echo y > "$o/srv/odd/naïve-日本"; echo z > "$o/srv/odd/ space  and
newline"
  : > "$o/srv/odd/empty"; head -c 511 /dev/zero > "$o/srv/odd/511"; head -c 512 /dev/zero > "$o/srv/odd/512"; head -c 513 /dev/zero > "$o/srv/odd/513"
  echo long > "$o/srv/odd/$(printf 'n%.0s' {1..250})"
  d=$o/srv/odd; for i in 1 2 3 4; do d=$d/$(printf 'directory-%.0s' {1..9}); mkdir "$d"; done; echo deep > "$d/$(printf 'f%.0s' {1..120})"
  cp "$o/srv/odd/hard-a" "$o/srv/odd/setuid"; chmod 4755 "$o/srv/odd/setuid"; chmod 1777 "$o/srv/odd/deep"; echo s > "$o/srv/odd/secret"; chmod 0 "$o/srv/odd/secret"
  echo big > "$o/srv/odd/owner"; chown 70000:4000000000 "$o/srv/odd/owner"
  setfattr -n user.comment -v 'kept' "$o/srv/odd/hard-a"; setfattr -n user.binary -v 0x00ff80 "$o/srv/odd/empty"
  setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 "$o/srv/odd/setuid"
  touch -h -d '2001-02-03T04:05:06.123456789Z' "$o/srv/odd/511"; touch -h -d '1960-01-01T00:00:00.5Z' "$o/srv/odd/512"
  for i in 1 2 3; do echo $i > "$o/srv/gone/$i"; echo $i > "$o/srv/hidden/$i"; echo $i > "$o/srv/replaced/$i"; done
  pack "$o" "$st/2-odd.tar"
fi

if [ ! -e "$st/3-edit.tar" ]; then
  e=$st/edit
  rm -rf "$e"
  mkdir -p "$e/usr/share" "$e/srv/hidden" "$e/srv/odd" "$e/etc/apt"
  : > "$e/usr/share/.wh.doc"; : > "$e/usr/share/.wh.locale"; : > "$e/srv/.wh.gone"
  : > "$e/srv/hidden/.wh..wh..opq"; echo new > "$e/srv/hidden/new"
  : > "$e/srv/.wh.replaced"; echo 'a file where a directory was' > "$e/srv/replaced"
  : > "$e/srv/odd/.wh.hard-b"; echo two > "$e/srv/odd/deep-file"
  printf 'PLY=1\n' > "$e/etc/environment"; chmod 600 "$e/etc/environment"
  find "$e" -exec touch -h -d "@$epoch" {} +
  pack "$e" "$st/3-edit.tar"
fi
rm -rf "$st/base" "$st/odd" "$st/edit"
