import type { Case } from '../build/table/case.ts'

/** Why buildah cannot build a case at all; `undefined` where it can. */
export function unable(one: Case): string | undefined {
  const text = JSON.stringify([one.dockerfile, ...Object.values(one.images ?? {}).map(({ dockerfile }) => dockerfile)])
  return inability.find(([pattern]) => pattern.test(text))?.[1]
}

const inability: readonly (readonly [RegExp, string])[] = [
  [/<<-?\s?\\?["']?\w/, 'it knows no texts under instructions'],
  [
    /--(?:parents|exclude|link|checksum|unpack|keep-git-dir|start-interval|device|security)\b/,
    'it knows no --parents, --exclude, --link, --checksum, --unpack, --keep-git-dir, --start-interval, --device, --security',
  ],
  [/--chmod=(?:[+a-z]|\$)/, 'it knows modes by number alone'],
  [/RUN (?:--\S+ )*--network=/, 'it knows no RUN --network'],
  [
    /--mount=\S*(?:=\$|type=tmpfs\S*size=|type=secret,(?:\S*env=|target=))/,
    'its mounts know no variables, no size of a tmpfs, no env= of a secret and none without an id',
  ],
  [/ADD (?:--\S+ )*http\S+\.git/, 'it fetches no repositories in ADD'],
]

/** What the documentation says of a difference; `undefined` for one that nobody has explained. */
export function explained(one: Case, line: string): string | undefined {
  return known.find(({ of, difference }) => of.test(one.says) && difference.test(line))?.because
}

/** A difference, of which cases, and the sentence of docs.docker.com/reference/dockerfile that explains it. */
const known: readonly { readonly of: RegExp; readonly difference: RegExp; readonly because: string }[] = [
  {
    of: /backslashes at the end of a line|directive escape makes|several directives/,
    difference: /Cmd|Labels|can't find =/,
    because:
      'escape: “The escape character is used both to escape characters in a line, and to escape a newline.” Parser directives: “All parser directives must be at the top of a Dockerfile.”',
  },
  {
    of: /check with error=true/,
    difference: /JSONArgsRecommended/,
    because:
      'check: “By default, builds with failing build checks exit with a zero status code despite warnings. To make the build fail on warnings, set # check=error=true.”',
  },
  {
    of: /behind a list in JSON/,
    difference: /Entrypoint/,
    because: 'Exec form: “The exec form is parsed as a JSON array”: one that is followed by anything is none.',
  },
  {
    of: /in front of the first FROM stands ARG alone/,
    difference: /ply fails/,
    because:
      'Understand how ARG and FROM interact: “ARG is the only instruction that may precede FROM in the Dockerfile.”',
  },
  {
    of: /./,
    difference: /Missing ':' in substitution/,
    because:
      'Environment replacement: “${variable-word} indicates …”, “${variable#pattern} removes …”, “${variable/pattern/replacement} replaces …”.',
  },
  {
    of: /braces with nothing/,
    difference: /bad substitution/,
    because: 'Environment replacement: variables are notated “either with $variable_name or ${variable_name}”.',
  },
  {
    of: /EXPOSE/,
    difference: /ExposedPorts|is no port/,
    because:
      'EXPOSE: “EXPOSE <port> [<port>/<protocol>...]”, “You can specify whether the port listens on TCP or UDP”, and both: “In this case, if you use -P with docker run, the port will be exposed once for TCP and once for UDP.”',
  },
  {
    of: /VOLUME|volume later/,
    difference: /\/ (?:\S+ )*of buildah alone/,
    because:
      'VOLUME: “The VOLUME instruction creates a mount point with the specified name and marks it as holding externally mounted volumes”: it is docker run that “initializes the newly created volume”.',
  },
  {
    of: /one ARG gives its arguments/,
    difference: /Labels/,
    because:
      'Environment replacement: ARG is not in the “list of instructions” that “use the same value for each variable throughout the entire instruction”.',
  },
  {
    of: /for FROM alone|is there for FROM, and in a stage/,
    difference: /image not known|invalid reference/,
    because:
      'Understand how ARG and FROM interact: “FROM instructions support variables that are declared by any ARG instructions that occur before the first FROM”, and the platform arguments “are defined in the global scope”.',
  },
  {
    of: /is one of the stages on it|one of commands of the stage on it/,
    difference: /Labels|\/w\/f/,
    because:
      'ARG, Scope: “An ARG variable declared within a build stage is automatically inherited by other stages based on that stage.”',
  },
  {
    of: /a proxy of the user is there/,
    difference: /Labels/,
    because:
      'ARG, Scope: “Prior to its definition by an ARG instruction, any use of a variable results in an empty string.”',
  },
  {
    of: /wants a name$/,
    difference: /no name in/,
    because: 'ARG: “ARG <name>[=<default value>]”. ENV: “ENV <key>=<value> [<key>=<value>...]”.',
  },
  {
    of: /in any case|begins with a letter/,
    difference: /lowercase|not found in the provided|cannot be called/,
    because:
      'FROM: “AS name”: BuildKit knows stages by names in lower case that begin with a letter (StageNameCasing: “Stage names should be lowercase”).',
  },
  {
    of: /named context are of root/,
    difference: /\/f/,
    because: 'COPY --chown: “Without this flag, files are created with UID and GID of 0.”',
  },
  {
    of: /waits may copy from a stage/,
    difference: /no stage or image found/,
    because:
      'ONBUILD, Copy or mount from stage, image, or context: “As of Dockerfile syntax 1.11, you can use ONBUILD with instructions that copy or mount files from other stages”.',
  },
  {
    of: /what waits is read/,
    difference: /no instruction CPOY/,
    because: 'ONBUILD: “ONBUILD INSTRUCTION”: what is no instruction is none there either.',
  },
  { of: /USER wants somebody/, difference: /names nobody/, because: 'USER: “USER <user>[:<group>]”.' },
  {
    of: /WORKDIR cleans/,
    difference: /WorkingDir/,
    because:
      'WORKDIR: “If a relative path is provided, it will be relative to the path of the previous WORKDIR instruction”: what is set is the directory itself.',
  },
  {
    of: /SHELL/,
    difference: /Cmd|ended with/,
    because:
      'SHELL: “The SHELL instruction allows the default shell used for the shell form of commands to be overridden”, of “all subsequent instructions”: RUN, CMD and ENTRYPOINT.',
  },
  {
    of: /HEALTHCHECK takes no time below/,
    difference: /1ms at least/,
    because: 'HEALTHCHECK: “--interval=DURATION”: BuildKit takes none below a millisecond.',
  },
  {
    of: /a file goes over a directory nowhere/,
    difference: /EISDIR/,
    because:
      'COPY, Copying from the build context: “If the source is a file and a directory with the same name exists at the destination, an error is raised.”',
  },
  {
    of: /symlink in the place of the target is followed/,
    difference: /\/[fl] /,
    because: 'COPY --link, Incompatibilities with --link=false: with --link alone “COPY/ADD can not follow it”.',
  },
  {
    of: /modes are kept/,
    difference: /\/a 4?750/,
    because:
      'COPY, Copying from the build context: “If the source is a file, the file and its metadata are copied to the destination. File permissions are preserved.”',
  },
  {
    of: /a socket is an error/,
    difference: /socket/,
    because: 'COPY: “The COPY instruction copies new files or directories”: a layer has no way to hold a socket.',
  },
  {
    of: /above the context is an error|goes up and out is an error|no source above the context/,
    difference: /outside of the context/,
    because:
      'COPY, Copying from the build context: a path “that navigates outside the build context” never reaches it: BuildKit takes “../” away, ply says so.',
  },
  {
    of: /several sources want|matches several wants/,
    difference: /several files/,
    because:
      'COPY, Source: “If you specify multiple source files, either directly or using a wildcard, then the destination must be a directory (must end with a slash /).”',
  },
  {
    of: /bracket in brackets|backslash makes a star/,
    difference: /matched nothing|of buildah alone/,
    because: "COPY, Pattern matching: “matching will be done using Go's filepath.Match rules”, such as arr[[]0].txt.",
  },
  {
    of: /matches nothing/,
    difference: /buildah fails/,
    because: 'COPY, Pattern matching: “each <src> may contain wildcards”: of what matches nothing, nothing is copied.',
  },
  {
    of: /mode above 7777/,
    difference: /is no mode/,
    because:
      'COPY --chmod: “The --chmod flag supports octal notation (e.g., 755, 644) and symbolic notation”: BuildKit takes modes up to 7777.',
  },
  {
    of: /two stages with one name/,
    difference: /Labels/,
    because:
      'Build checks, DuplicateStageName: “Stage names should be unique”: of two BuildKit means the one that comes last in front.',
  },
  {
    of: /written into a bound directory is gone/,
    difference: /\/w\/x/,
    because: 'RUN --mount=type=bind: “rw, readwrite: Allow writes on the mount. Written data will be discarded.”',
  },
  {
    of: /source of a mount that is not there/,
    difference: /is not there/,
    because:
      'RUN --mount=type=bind: “source: Source path in the from. Defaults to the root of the from”: there is none of it.',
  },
  {
    of: /a tmpfs is empty/,
    difference: /\/w\/t\//,
    because:
      'RUN --mount=type=tmpfs: “This mount type allows mounting tmpfs in the build container”: what it hides is in the image.',
  },
  {
    of: /exception with two stars brings back/,
    difference: /\/d\//,
    because:
      '.dockerignore: “**/*.go excludes all files that end with .go found anywhere in the build context”, and “lines starting with ! can be used to make exceptions to exclusions”.',
  },
  {
    of: /a tar gets an owner/,
    difference: /\/t/,
    because: 'ADD --chown: “See COPY --chown”: “Sets ownership of copied files.”',
  },
]
