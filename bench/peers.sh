# Short names for the tools that the benchmarks run beside ply, each with stores of its own below $SCRATCH. Sourced.
S=$SCRATCH/stores
mkdir -p "$S" "$SCRATCH/tmp"
export TMPDIR=$SCRATCH/tmp CONTAINERS_STORAGE_CONF=$S/storage.conf CONTAINERS_CONF=$S/containers.conf
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/c"\nrunroot = "%s/c-run"\n' "$S" "$S" > "$CONTAINERS_STORAGE_CONF"
printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n' > "$CONTAINERS_CONF"
printf '{"default":[{"type":"insecureAcceptAnything"}]}' > "$S/policy.json"
pod() { podman --root "$S/overlay" --runroot "$S/overlay-run" --tmpdir "$S/overlay-tmp" --storage-driver overlay "$@"; }
bld() { buildah --root "$S/overlay" --runroot "$S/overlay-run" --storage-driver overlay "$@"; }
sko() { skopeo --policy "$S/policy.json" "$@"; }
cs() { echo "containers-storage:[overlay@$S/overlay+$S/overlay-run]$1"; }
wipe() {
  findmnt -rno TARGET | awk -v p="$S/overlay" 'index($0, p "/") == 1 || $0 == p' | sort -r | xargs -r umount -l 2>/dev/null
  rm -rf --one-file-system "$S/overlay" "$S/overlay-run" "$S/overlay-tmp"
}
