#!/usr/bin/env bash
# Stages the layer tarballs of the "distro" workload: a realistic Debian image.
#
#   usage: distro-stage.sh WORKDIR
#
# Leaves WORKDIR/stage/distro/{1-base,2-tools,3-app,4-edit}.tar (uncompressed,
# pax, sorted by name, numeric owners, whiteouts in OCI ".wh." form).  gen.mjs
# then turns them into images.
#
# Sources: Debian's packages (through mmdebstrap and apt, with this machine's
# own apt sources) and npm packages at the exact versions in distro-app.json.
# Same package versions in, same bytes out: time stamps are clamped, caches,
# logs and machine identity are left out.
#
# Needs root, kernel overlayfs, mmdebstrap, GNU tar, npm.  Skips what is there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=${1:?WORKDIR}
st=$work/stage/distro
epoch=${SOURCE_DATE_EPOCH:-1700000000}
tools=(build-essential git python3 python3-dev python3-venv curl ca-certificates less vim-tiny)
mkdir -p "$st"

pack() { # pack DIR OUT [tar options]: deterministic tarball of a tree
  local dir=$1 out=$2; shift 2
  tar --create --file="$out.tmp" --directory="$dir" --sort=name --numeric-owner \
      --format=pax --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
      --xattrs --xattrs-include='security.capability' --xattrs-include='user.*' \
      --mtime="@$epoch" --clamp-mtime "$@" .
  mv "$out.tmp" "$out"
}

# Left out of every layer: caches, logs, machine identity, name resolution.
drop=(--exclude=./var/cache/apt/'*' --exclude=./var/lib/apt/lists/'*'
      --exclude=./var/log/'*' --exclude=./etc/resolv.conf --exclude=./etc/hostname
      --exclude=./etc/machine-id --exclude=./var/cache/ldconfig/aux-cache
      --exclude=./etc/apt/sources.list --exclude=./etc/apt/sources.list.d/'*'
      --exclude=./proc/'*' --exclude=./sys/'*' --exclude=./tmp/'*')

apt_sources() { cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list 2>/dev/null || true; }

# ---- layer 1: minbase -------------------------------------------------------
if [ ! -e "$st/1-base.tar" ]; then
  rm -rf "$st/base"
  apt_sources | grep -v '^#' > "$st/apt.sources"
  SOURCE_DATE_EPOCH=$epoch mmdebstrap --mode=root --variant=minbase --quiet \
      --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
      bookworm "$st/base" - < "$st/apt.sources"
  pack "$st/base" "$st/1-base.tar" "${drop[@]}"
fi

# ---- layer 2: tools, installed through an overlay so the upper is the layer --
if [ ! -e "$st/2-tools.tar" ]; then
  rm -rf "$st/tools" "$st/ovlwork" "$st/merged"
  mkdir -p "$st/tools" "$st/ovlwork" "$st/merged"
  # A private mount namespace: every mount below disappears with this command.
  env ST="$st" TOOLS="${tools[*]}" unshare --mount bash -euo pipefail -c '
    mount -t overlay overlay -o "lowerdir=$ST/base,upperdir=$ST/tools,workdir=$ST/ovlwork" "$ST/merged"
    mount -t proc proc "$ST/merged/proc"
    cp -L /etc/resolv.conf "$ST/merged/etc/resolv.conf"
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C
    chroot "$ST/merged" apt-get -qq -o Acquire::Check-Date=false update
    chroot "$ST/merged" apt-get -qq -y --no-install-recommends install $TOOLS >"$ST/tools.log" 2>&1
    chroot "$ST/merged" dpkg-query -W -f "\${Package} \${Version}\n" >"$ST/packages.txt"
    chroot "$ST/merged" apt-get clean
    umount "$ST/merged/proc"
  '
  # Overlay form -> OCI form: 0/0 character devices and opaque xattrs.
  find "$st/tools" -type c -printf '%P\n' | while IFS= read -r p; do
    [ "$(stat -c %t:%T "$st/tools/$p")" = 0:0 ] || continue
    rm -f "$st/tools/$p"; : > "$st/tools/$(dirname "$p")/.wh.$(basename "$p")"
  done
  getfattr -R -h --only-values -n trusted.overlay.opaque "$st/tools" >/dev/null 2>&1 || true
  find "$st/tools" -type d -print0 | while IFS= read -r -d '' d; do
    v=$(getfattr -h --only-values -n trusted.overlay.opaque "$d" 2>/dev/null || true)
    [ "$v" = y ] && : > "$d/.wh..wh..opq" || true
  done
  pack "$st/tools" "$st/2-tools.tar" "${drop[@]}"
fi

# ---- layer 3: an app with a large node_modules --------------------------------
if [ ! -e "$st/3-app.tar" ]; then
  rm -rf "$st/app"; mkdir -p "$st/app/app"
  cp "$here/distro-app.json" "$st/app/app/package.json"
  (cd "$st/app/app" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error)
  rm -f "$st/app/app/package-lock.json" "$st/app/app/node_modules/.package-lock.json"
  mkdir -p "$st/app/app/src" "$st/app/app/data"
  for i in $(seq 1 50); do echo "export const n$i = $i;" > "$st/app/app/src/mod$i.ts"; done
  head -c 4000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null > "$st/app/app/data/blob.bin"
  chown -R 0:0 "$st/app"; chmod 755 "$st/app" "$st/app/app"
  pack "$st/app" "$st/3-app.tar"
fi

# ---- layer 4: deletes, one opaque directory, modified files -------------------
if [ ! -e "$st/4-edit.tar" ]; then
  e=$st/edit; rm -rf "$e"; mkdir -p "$e"
  # whole trees removed
  mkdir -p "$e/usr/share" "$e/app/node_modules"
  : > "$e/usr/share/.wh.doc"; : > "$e/usr/share/.wh.man"; : > "$e/app/node_modules/.wh.webpack"
  # one file in each of many directories removed
  (cd "$st/app" && find app/node_modules -path '*/node_modules/webpack/*' -prune -o -name 'README.md' -print | sort | awk "NR<=300") |
    while IFS= read -r p; do mkdir -p "$e/$(dirname "$p")"; : > "$e/$(dirname "$p")/.wh.README.md"; done
  # a directory replaced as a whole
  mkdir -p "$e/app/src"; : > "$e/app/src/.wh..wh..opq"
  for i in $(seq 1 20); do echo "export const v$i = 'second';" > "$e/app/src/mod$i.ts"; done
  # existing files rewritten
  (cd "$st/app" && find app/node_modules -path '*/node_modules/webpack/*' -prune -o -name 'package.json' -print | sort | awk 'NR%4==0 && ++n<=500') |
    while IFS= read -r p; do mkdir -p "$e/$(dirname "$p")"; { cat "$st/app/$p"; echo; } > "$e/$p"; done
  mkdir -p "$e/etc"; printf 'PLY_BENCH=1\n' > "$e/etc/environment"
  chown -R 0:0 "$e"; find "$e" -type d -exec chmod 755 {} +
  find "$e" -exec touch -h -d "@$epoch" {} +
  pack "$e" "$st/4-edit.tar"
fi
rm -rf "$st/base" "$st/tools" "$st/ovlwork" "$st/merged" "$st/app" "$st/edit"
