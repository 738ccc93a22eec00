import type { Case } from './case.ts'

const raw = String.raw

/** Directives, comments, lines that go on, and how instructions are written. */
export const parsing: readonly Case[] = [
  {
    says: 'an instruction is written in any case',
    dockerfile: 'from scratch\nlAbEl a=b\n',
    config: { Labels: { a: 'b' } },
  },
  {
    says: 'white space around instructions and empty lines mean nothing',
    see: 'Format',
    dockerfile: '\n\n   FROM   scratch  \n\n\t LABEL\t a=b \t\n\n',
    config: { Labels: { a: 'b' } },
  },
  {
    says: 'a comment is a line that begins with a hash, white space in front of it or not',
    see: 'Format',
    dockerfile: '# one\nFROM scratch\n   # two\n\t#three\nLABEL a=b\n',
    config: { Labels: { a: 'b' } },
  },
  {
    says: 'a hash anywhere else in a line is none',
    see: 'Format',
    dockerfile: 'FROM scratch\nLABEL a="b # c" d=#e\n',
    config: { Labels: { a: 'b # c', d: '#e' } },
  },
  {
    says: 'a line goes on behind a backslash, with white space behind it too',
    dockerfile: 'FROM scratch\nLABEL a=1 \\\n  b=2 \\  \n  c=3\n',
    config: { Labels: { a: '1', b: '2', c: '3' } },
  },
  {
    says: 'comments between lines that go on are taken out',
    see: 'Format',
    dockerfile: 'FROM scratch\nLABEL a=1 \\\n# no\n   # no \\\n  b=2\n',
    config: { Labels: { a: '1', b: '2' } },
  },
  {
    says: 'an empty line between lines that go on is taken out',
    dockerfile: 'FROM scratch\nLABEL a=1 \\\n\n\n  b=2\n',
    config: { Labels: { a: '1', b: '2' } },
  },
  {
    says: 'white space in front of a line that goes on stays',
    see: 'Format',
    dockerfile: 'FROM scratch\nCMD one\\\n   two\n',
    config: { Cmd: ['/bin/sh', '-c', 'one   two'] },
  },
  {
    says: 'a backslash at the end of the file is gone',
    dockerfile: 'FROM scratch\nCMD a \\',
    config: { Cmd: ['/bin/sh', '-c', 'a'] },
  },
  {
    says: 'two backslashes at the end of a line are no sign that it goes on',
    dockerfile: raw`FROM scratch
CMD a \\
LABEL x=y
`,
    config: { Cmd: ['/bin/sh', '-c', 'a \\\\'], Labels: { x: 'y' } },
  },
  {
    says: 'line ends of Windows are line ends',
    dockerfile: 'FROM scratch\r\nLABEL a=1 \\\r\n b=2\r\n',
    config: { Labels: { a: '1', b: '2' } },
  },
  {
    says: 'a mark of the byte order means nothing',
    dockerfile: '\ufeffFROM scratch\nLABEL a=b\n',
    config: { Labels: { a: 'b' } },
  },
  {
    says: 'the directive escape makes a backtick of the backslash',
    see: 'escape',
    dockerfile: '# escape=`\nFROM scratch\nLABEL a=c:\\ `\n b=`$x\n',
    config: { Labels: { a: 'c:\\', b: '$x' } },
  },
  {
    says: 'names of directives are written in any case, with white space or without',
    see: 'Parser directives',
    dockerfile: '#\teScApE=`\nFROM scratch\nLABEL a=1 `\n b=2\n',
    config: { Labels: { a: '1', b: '2' } },
  },
  {
    says: 'a directive behind a comment is a comment',
    see: 'Parser directives',
    dockerfile: '# about\n# escape=`\nFROM scratch\nLABEL a=1 \\\n b=2\n',
    config: { Labels: { a: '1', b: '2' } },
  },
  {
    says: 'a directive behind an empty line is a comment',
    see: 'Parser directives',
    dockerfile: '\n# escape=`\nFROM scratch\nLABEL a=1 \\\n b=2\n',
    config: { Labels: { a: '1', b: '2' } },
  },
  {
    says: 'a directive that nobody knows is a comment, and ends the directives',
    see: 'Parser directives',
    dockerfile: '# unknown=1\n# escape=`\nFROM scratch\nLABEL a=1 \\\n b=2\n',
    config: { Labels: { a: '1', b: '2' } },
  },
  {
    says: 'several directives may stand together',
    dockerfile: '# syntax=docker/dockerfile:1\n# check=skip=all\n# escape=`\nFROM scratch\nLABEL a=1 `\n b=2\n',
    config: { Labels: { a: '1', b: '2' } },
  },
  {
    says: 'a directive stands there once',
    see: 'Parser directives',
    dockerfile: '# escape=`\n# escape=`\nFROM scratch\n',
    fails: { line: 2, words: /escape stands here twice/ },
  },
  {
    says: 'escape is a backslash or a backtick',
    see: 'escape',
    dockerfile: '# escape=!\nFROM scratch\n',
    fails: { line: 1, words: /backslash or a backtick, not !/ },
  },
  {
    says: 'check with error=true makes errors of what the checks find',
    see: 'check',
    dockerfile: '# check=error=true\nFROM scratch\nCMD a\n',
    fails: { line: 3, words: /JSONArgsRecommended/ },
  },
  {
    says: 'check leaves out the checks that it names',
    see: 'check',
    dockerfile: '# check=skip=JSONArgsRecommended;error=true\nFROM scratch\nCMD a\n',
    config: { Cmd: ['/bin/sh', '-c', 'a'] },
  },
  {
    says: 'a list in JSON is a program and its arguments',
    see: 'Exec form',
    dockerfile: 'FROM scratch\nCMD [ "a", "b c" , "\\"" ]\n',
    config: { Cmd: ['a', 'b c', '"'] },
  },
  {
    says: 'a list with single quotes is no JSON, and a line of the shell',
    see: 'Exec form',
    dockerfile: "FROM scratch\nCMD ['a']\n",
    config: { Cmd: ['/bin/sh', '-c', "['a']"] },
  },
  {
    says: 'a backslash in JSON that is not doubled makes a line of the shell',
    see: 'Backslashes',
    dockerfile: raw`FROM scratch
CMD ["c:\windows\x"]
`,
    config: { Cmd: ['/bin/sh', '-c', raw`["c:\windows\x"]`] },
  },
  {
    says: 'a list in JSON may go on in the next line',
    dockerfile: 'FROM scratch\nCMD ["a", \\\n  "b"]\n',
    config: { Cmd: ['a', 'b'] },
  },
  {
    says: 'a list in JSON holds strings only',
    dockerfile: 'FROM scratch\nCMD ["a", 1]\n',
    fails: { line: 2, words: /strings only/ },
  },
  {
    says: 'what is behind a list in JSON makes a line of the shell of it',
    dockerfile: 'FROM scratch\nENTRYPOINT ["a"] b\n',
    config: { Entrypoint: ['/bin/sh', '-c', '["a"] b'] },
  },
  {
    says: 'JSON may escape letters by their numbers',
    dockerfile: raw`FROM scratch
CMD ["\u0061\t"]
`,
    config: { Cmd: ['a\t'] },
  },
  {
    says: 'variables in JSON of a command are none',
    see: 'Variable substitution',
    dockerfile: 'FROM scratch\nENV A=1\nCMD ["$A"]\nENTRYPOINT ["${A}"]\n',
    config: { Env: ['A=1'], Cmd: ['$A'], Entrypoint: ['${A}'] },
  },
  {
    says: 'variables in a line of the shell are left to the shell',
    see: 'Environment replacement',
    dockerfile: 'FROM scratch\nENV A=1\nCMD echo $A "$A" \'$A\'\n',
    config: { Env: ['A=1'], Cmd: ['/bin/sh', '-c', 'echo $A "$A" \'$A\''] },
  },
  {
    says: 'quotes and backslashes in a line of the shell are left to the shell',
    dockerfile: raw`FROM scratch
CMD a\ b "c d" \$e
`,
    config: { Cmd: ['/bin/sh', '-c', raw`a\ b "c d" \$e`] },
  },
  {
    says: 'quotes of a flag keep white space together and are gone',
    dockerfile: 'FROM scratch\nCOPY --exclude="b c" . /t/\n',
    context: { a: '1', 'b c': '2' },
    tree: ['/t/', '/t/a = 1'],
  },
  {
    says: 'a flag takes the escape of the file',
    dockerfile: '# escape=`\nFROM scratch\nCOPY --exclude=b` c . /t/\n',
    context: { a: '1', 'b c': '2' },
    tree: ['/t/', '/t/a = 1'],
  },
  {
    says: 'two dashes alone end the flags',
    dockerfile: 'FROM scratch\nCOPY -- --a /t/\n',
    context: { '--a': '1' },
    tree: ['/t/', '/t/--a = 1'],
  },
  {
    says: 'an instruction that nobody knows is an error that says which was meant',
    dockerfile: 'FROM scratch\n\nRNU x\n',
    fails: { line: 3, words: /Dockerfile:3: there is no instruction RNU; did you mean RUN\?/ },
  },
  {
    says: 'an instruction that is like none is an error all the same',
    dockerfile: 'FROM scratch\nFROBNICATE x\n',
    fails: { line: 2, words: /there is no instruction FROBNICATE$|there is no instruction FROBNICATE \(/ },
  },
  {
    says: 'an instruction without what it wants is an error',
    dockerfile: 'FROM scratch\nLABEL\n',
    fails: { line: 2, words: /LABEL: it wants an argument/ },
  },
  {
    says: 'the line of an error is where the instruction begins',
    dockerfile: 'FROM scratch\nLABEL \\\n a=1 \\\n b\n',
    fails: { line: 2, words: /no = in b/ },
  },
  {
    says: 'a file without an instruction is an error',
    dockerfile: '# nothing\n',
    fails: { line: 1, words: /no FROM/ },
  },
  { says: 'an empty file is an error', dockerfile: '', fails: { line: 1, words: /no FROM/ } },
  {
    says: 'in front of the first FROM stands ARG alone',
    see: 'Understand how ARG and FROM interact',
    dockerfile: 'ARG A=1\nLABEL a=b\nFROM scratch\n',
    fails: { line: 2, words: /LABEL stands in front of the first FROM/ },
  },
]
