import { type Case, group } from './case.ts'

const raw = String.raw
/** A label that is what an expression of a variable `V` comes to. */
const value = (says: string, expression: string, result: string, see = 'Environment replacement'): Case => ({
  says,
  see,
  dockerfile: `FROM scratch\nENV V=foobarbaz E= P=a/b/c.tar.gz\nLABEL is=${expression}\n`,
  config: { Env: ['V=foobarbaz', 'E=', 'P=a/b/c.tar.gz'], Labels: { is: result } },
})

export const expansion: readonly Case[] = [
  value('a variable is put in by its name', '$V', 'foobarbaz'),
  value('a variable is put in by its name in braces', 'x${V}x', 'xfoobarbazx'),
  value('a name ends where no letter, digit or underscore follows', '$V-$V.x', 'foobarbaz-foobarbaz.x'),
  value('a variable that is not set is nothing', 'x${NONE}$NONE.', 'x.'),
  value('a dollar alone is a dollar', 'a$', 'a$'),
  value('a backslash makes a dollar of a dollar', raw`\$V\${V}`, '$V${V}'),
  value('single quotes leave everything as it is', "'$V'", '$V'),
  value('double quotes let variables in', '"x $V"', 'x foobarbaz'),
  value(
    'a backslash in double quotes is one, but in front of a quote, a dollar or itself',
    raw`"\$V \" \\ \n"`,
    raw`$V " \ \n`,
  ),
  value('quotes in the middle of a word are gone', `a'b c'"d e"f`, 'ab cd ef'),
  value('empty quotes are an empty value', `""`, ''),
  value(':- is the word where the variable is not set', '${NONE:-word}', 'word'),
  value(':- is the word where the variable is empty', '${E:-word}', 'word'),
  value(':- is the variable where it is set', '${V:-word}', 'foobarbaz'),
  value('- is the empty value of a variable that is set', 'x${E-word}', 'x'),
  value('- is the word where the variable is not set', '${NONE-word}', 'word'),
  value(':+ is the word where the variable is set', '${V:+word}', 'word'),
  value(':+ is nothing where the variable is empty', 'x${E:+word}', 'x'),
  value('+ is the word where the variable is set and empty', '${E+word}', 'word'),
  value('+ is nothing where the variable is not set', 'x${NONE+word}', 'x'),
  value('the word of a modifier may hold variables', '${NONE:-<${V}>}', '<foobarbaz>'),
  value('the word of a modifier may hold modifiers', '${NONE:-${ALSO:-deep}}', 'deep'),
  value('the word of a modifier may hold quotes', `"\${NONE:-a b}"`, 'a b'),
  value('# takes the shortest match from the front', '${V#f*b}', 'arbaz'),
  value('## takes the longest match from the front', '${V##f*b}', 'az'),
  value('% takes the shortest match from the end', '${V%b*}', 'foobar'),
  value('%% takes the longest match from the end', '${V%%b*}', 'foo'),
  value('# with a question mark takes one character', '${V#???}', 'barbaz'),
  value('# and % take nothing where nothing matches', '${V#x}${V%x}', 'foobarbazfoobarbaz'),
  value('% takes the end of a path', '${P%.*}', 'a/b/c.tar'),
  value('## takes the directories of a path', '${P##*/}', 'c.tar.gz'),
  value('/ replaces the first match', '${V/ba/fo}', 'fooforbaz'),
  value('// replaces all matches', '${V//ba/fo}', 'fooforfoz'),
  value('/ with nothing takes the match out', '${V/bar/}', 'foobaz'),
  value('// with an escaped slash replaces slashes', raw`\${P//\//-}`.slice(1), 'a-b-c.tar.gz'),
  value('/ takes the longest match of a star', '${V/o*a/-}', 'f-z'),
  value('a star behind a backslash is a star in a pattern', raw`x\${V#\*}`.replace('\\$', '$'), 'xfoobarbaz'),
  {
    says: ':? is an error with the word where the variable is not set',
    dockerfile: 'FROM scratch\nLABEL a="${NONE:?it is wanted}"\n',
    fails: { line: 2, words: /NONE: it is wanted/ },
  },
  {
    says: ':? is an error where the variable is empty',
    dockerfile: 'FROM scratch\nENV E=\nLABEL a="${E:?}"\n',
    fails: { line: 3, words: /E: is not allowed to be empty/ },
  },
  {
    says: '? takes an empty value, and nothing that is not set',
    dockerfile: 'FROM scratch\nENV E=\nLABEL a=x${E?no}\nLABEL b="${NONE?no such thing}"\n',
    fails: { line: 4, words: /NONE: no such thing/ },
  },
  {
    says: 'a brace that is not closed is an error',
    dockerfile: 'FROM scratch\nLABEL a=${V\n',
    fails: { line: 2, words: /brace is not closed/ },
  },
  {
    says: 'a modifier that nobody knows is an error',
    dockerfile: 'FROM scratch\nLABEL a=${V^}\n',
    fails: { line: 2, words: /no such modifier/ },
  },
  {
    says: 'a quote that is not closed is an error',
    dockerfile: 'FROM scratch\nLABEL a="x\n',
    fails: { line: 2, words: /quote is not closed/ },
  },
  {
    says: 'braces with nothing in them are an error',
    dockerfile: 'FROM scratch\nLABEL a=${}\n',
    fails: { line: 2, words: /bad substitution/ },
  },

  ...group({ see: 'Environment replacement' }, [
    {
      says: 'an instruction sees variables as they were before it',
      dockerfile: 'FROM scratch\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc\n',
      config: { Env: ['abc=bye', 'def=hello', 'ghi=bye'] },
    },
    {
      says: 'ENV puts variables into values, and into names',
      dockerfile: 'FROM scratch\nENV A=b\nENV $A=c x=$A\n',
      config: { Env: ['A=b', 'b=c', 'x=b'] },
    },
    {
      says: 'LABEL puts variables into names and values',
      dockerfile: 'FROM scratch\nENV A=b\nLABEL "$A.$A"="$A" \'$A\'=1\n',
      config: { Env: ['A=b'], Labels: { 'b.b': 'b', $A: '1' } },
    },
    {
      says: 'EXPOSE puts variables in, which may bring several ports',
      dockerfile: 'FROM scratch\nENV P="80 81/udp"\nEXPOSE $P 90-${Q:-91}\n',
      config: { Env: ['P=80 81/udp'], ExposedPorts: { '80/tcp': {}, '81/udp': {}, '90/tcp': {}, '91/tcp': {} } },
    },
    {
      says: 'STOPSIGNAL puts variables in',
      dockerfile: 'FROM scratch\nARG S=QUIT\nSTOPSIGNAL SIG${S}\n',
      config: { StopSignal: 'SIGQUIT' },
    },
    {
      says: 'USER puts variables in',
      dockerfile: 'FROM scratch\nARG U=5\nUSER ${U}:${G:-6}\n',
      config: { User: '5:6' },
    },
    {
      says: 'VOLUME puts variables in, in JSON too',
      dockerfile: 'FROM scratch\nENV D=/d\nVOLUME $D/a\nVOLUME ["${D}/b"]\n',
      config: { Env: ['D=/d'], Volumes: { '/d/a': {}, '/d/b': {} } },
    },
    {
      says: 'WORKDIR puts variables in',
      dockerfile: 'FROM scratch\nENV D=/d\nWORKDIR $D/${E:-e}\n',
      config: { Env: ['D=/d'], WorkingDir: '/d/e' },
      tree: ['/d/', '/d/e/'],
    },
    {
      says: 'COPY puts variables into sources, target, owner and mode',
      dockerfile: 'FROM scratch\nENV S=a T=/t U=7 M=600\nCOPY --chown=$U:${U} --chmod=$M $S $T/\n',
      context: { a: 'x' },
      config: { Env: ['S=a', 'T=/t', 'U=7', 'M=600'] },
      tree: ['/t/ 7:7', '/t/a 600 7:7 = x'],
    },
    {
      says: 'COPY takes a name with a dollar where it is escaped',
      dockerfile: raw`FROM scratch
COPY \$a /quux
`,
      context: { $a: 'x' },
      tree: ['/quux = x'],
    },
    {
      says: 'ADD puts variables in',
      dockerfile: 'FROM scratch\nENV S=a T=/t\nADD ${S} ${T}\n',
      context: { a: 'x' },
      config: { Env: ['S=a', 'T=/t'] },
      tree: ['/t = x'],
    },
    {
      says: 'ONBUILD puts variables in when it is carried out, not before',
      dockerfile: 'FROM below\nLABEL x=$A\n',
      images: { below: { dockerfile: 'FROM scratch\nENV A=1\nONBUILD ENV A=2 B=$A\n' } },
      config: { Env: ['A=2', 'B=1'], Labels: { x: '2' } },
    },
    {
      says: 'FROM puts in what stands in front of it',
      dockerfile: 'ARG N=b\nARG T=${N#x}\nFROM scratch AS b\nLABEL b=1\nFROM ${T:-none}\n',
      config: { Labels: { b: '1' } },
    },
    {
      says: 'HEALTHCHECK and SHELL and MAINTAINER put nothing in',
      dockerfile: 'FROM scratch\nENV A=1\nSHELL ["$A"]\nHEALTHCHECK CMD ["$A"]\n',
      config: { Env: ['A=1'], Shell: ['$A'], Healthcheck: { Test: ['CMD', '$A'] } },
    },
    {
      says: 'what the image below sets is there to be put in',
      dockerfile: 'FROM below\nLABEL a=$A\n',
      images: { below: { dockerfile: 'FROM scratch\nENV A=from-below\n' } },
      config: { Env: ['A=from-below'], Labels: { a: 'from-below' } },
    },
    {
      says: 'the PATH that an image on nothing has is there to be put in',
      dockerfile: 'FROM scratch\nENV PATH=/x:$PATH\n',
      config: { Env: ['PATH=/x:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
    },
  ]),
]
