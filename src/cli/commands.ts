import type { StoreCommand } from './store-command.ts'

/** A command as it stands in a file of its own: constructed and run by `main`. */
export type CommandClass = Pick<typeof StoreCommand, keyof typeof StoreCommand> &
  (new (
    ...args: ConstructorParameters<typeof StoreCommand>
  ) => StoreCommand)

type Loader = () => Promise<CommandClass>

/** Every command by its name, in the groups and the order of the help. Each is loaded only when it is called. */
export const commandGroups = {
  'move images': {
    load: async () => (await import('./commands/load.ts')).Load,
    save: async () => (await import('./commands/save.ts')).Save,
    import: async () => (await import('./commands/import.ts')).Import,
    export: async () => (await import('./commands/export.ts')).Export,
    copy: async () => (await import('./commands/copy.ts')).Copy,
    sign: async () => (await import('./commands/sign.ts')).Sign,
    verify: async () => (await import('./commands/verify.ts')).Verify,
    attach: async () => (await import('./commands/attach.ts')).Attach,
    sync: async () => (await import('./commands/sync.ts')).Sync,
    'index create': async () => (await import('./commands/index-create.ts')).IndexCreate,
    'index add': async () => (await import('./commands/index-add.ts')).IndexAdd,
    'index remove': async () => (await import('./commands/index-remove.ts')).IndexRemove,
    'index annotate': async () => (await import('./commands/index-annotate.ts')).IndexAnnotate,
    login: async () => (await import('./commands/login.ts')).Login,
    logout: async () => (await import('./commands/logout.ts')).Logout,
  },
  'look at images and trees': {
    images: async () => (await import('./commands/images.ts')).Images,
    inspect: async () => (await import('./commands/inspect.ts')).Inspect,
    tags: async () => (await import('./commands/tags.ts')).Tags,
    referrers: async () => (await import('./commands/referrers.ts')).Referrers,
    history: async () => (await import('./commands/history.ts')).History,
    ls: async () => (await import('./commands/ls.ts')).Ls,
    cat: async () => (await import('./commands/cat.ts')).Cat,
    stat: async () => (await import('./commands/stat.ts')).Stat,
    tree: async () => (await import('./commands/tree.ts')).Tree,
    find: async () => (await import('./commands/find.ts')).Find,
    du: async () => (await import('./commands/du.ts')).Du,
    blame: async () => (await import('./commands/blame.ts')).Blame,
    diff: async () => (await import('./commands/diff.ts')).Diff,
    check: async () => (await import('./commands/check.ts')).Check,
    explore: async () => (await import('./commands/explore.ts')).Explore,
  },
  'make images': {
    build: async () => (await import('./commands/build.ts')).Build,
    repro: async () => (await import('./commands/repro.ts')).Repro,
    commit: async () => (await import('./commands/commit.ts')).Commit,
    append: async () => (await import('./commands/append.ts')).Append,
    config: async () => (await import('./commands/config.ts')).Config,
    squash: async () => (await import('./commands/squash.ts')).Squash,
    flatten: async () => (await import('./commands/flatten.ts')).Flatten,
    split: async () => (await import('./commands/split.ts')).Split,
    rebase: async () => (await import('./commands/rebase.ts')).Rebase,
    strip: async () => (await import('./commands/strip.ts')).Strip,
    epoch: async () => (await import('./commands/epoch.ts')).Epoch,
    recompress: async () => (await import('./commands/recompress.ts')).Recompress,
    tag: async () => (await import('./commands/tag.ts')).Tag,
    rmi: async () => (await import('./commands/rmi.ts')).Rmi,
  },
  'work in containers': {
    run: async () => (await import('./commands/run.ts')).Run,
    create: async () => (await import('./commands/create.ts')).Create,
    ps: async () => (await import('./commands/ps.ts')).Ps,
    mount: async () => (await import('./commands/mount.ts')).Mount,
    umount: async () => (await import('./commands/umount.ts')).Umount,
    cp: async () => (await import('./commands/cp.ts')).Cp,
    snapshot: async () => (await import('./commands/snapshot.ts')).Snapshot,
    rollback: async () => (await import('./commands/rollback.ts')).Rollback,
    clone: async () => (await import('./commands/clone.ts')).Clone,
    materialize: async () => (await import('./commands/materialize.ts')).Materialize,
    changes: async () => (await import('./commands/changes.ts')).Changes,
    rm: async () => (await import('./commands/rm.ts')).Rm,
  },
  'care for the store': {
    df: async () => (await import('./commands/df.ts')).Df,
    gc: async () => (await import('./commands/gc.ts')).Gc,
    dedupe: async () => (await import('./commands/dedupe.ts')).Dedupe,
    fsck: async () => (await import('./commands/fsck.ts')).Fsck,
    validate: async () => (await import('./commands/validate.ts')).Validate,
    doctor: async () => (await import('./commands/doctor.ts')).Doctor,
    completion: async () => (await import('./commands/completion.ts')).Completion,
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Loader>>>>

/** All commands, by name. */
export const commands: ReadonlyMap<string, Loader> = new Map(
  Object.values(commandGroups).flatMap((group) => Object.entries(group) as [string, Loader][]),
)
