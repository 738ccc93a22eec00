import { type Case, group } from './case.ts'

const raw = String.raw

/** Texts that stand under an instruction. */
export const heredocs: readonly Case[] = group({ see: 'Here-Documents' }, [
  {
    says: 'a file may stand under COPY',
    dockerfile: 'FROM scratch\nCOPY <<EOF /f\none\n two\nEOF\nLABEL a=b\n',
    config: { Labels: { a: 'b' } },
    tree: ['/f = one| two|'],
  },
  { says: 'a file may stand under ADD', dockerfile: 'FROM scratch\nADD <<EOF /f\none\nEOF\n', tree: ['/f = one|'] },
  {
    says: 'a file in a directory has the name of its end',
    dockerfile: 'FROM scratch\nCOPY <<robots.txt /d/\nx\nrobots.txt\n',
    tree: ['/d/', '/d/robots.txt = x|'],
  },
  {
    says: 'several files may stand there one after the other',
    dockerfile: 'FROM scratch\nCOPY <<a <<b c /d/\n1\na\n2\nb\n',
    context: { c: '3' },
    tree: ['/d/', '/d/a = 1|', '/d/b = 2|', '/d/c = 3'],
  },
  { says: 'a file may be empty', dockerfile: 'FROM scratch\nCOPY <<EOF /f\nEOF\n', tree: ['/f ='] },
  {
    says: 'variables are put into a file',
    dockerfile: 'FROM scratch\nENV V=1\nCOPY <<EOF /f\n$V ${V:-2} ${W:-3}\nEOF\n',
    config: { Env: ['V=1'] },
    tree: ['/f = 1 1 3|'],
  },
  {
    says: 'arguments are put into a file',
    dockerfile: 'FROM scratch\nARG V\nCOPY <<EOF /f\n[$V]\nEOF\n',
    args: { V: 'mine' },
    tree: ['/f = [mine]|'],
  },
  {
    says: 'quotes around the end keep variables out, single ones',
    dockerfile: "FROM scratch\nENV V=1\nCOPY <<'EOF' /f\n$V\nEOF\n",
    config: { Env: ['V=1'] },
    tree: ['/f = $V|'],
  },
  {
    says: 'quotes around the end keep variables out, double ones',
    dockerfile: 'FROM scratch\nENV V=1\nCOPY <<"EOF" /f\n$V\nEOF\n',
    config: { Env: ['V=1'] },
    tree: ['/f = $V|'],
  },
  {
    says: 'quotes in a file are what they are',
    dockerfile: "FROM scratch\nENV V=1\nCOPY <<EOF /f\n\"$V\" '$V' it's\nEOF\n",
    config: { Env: ['V=1'] },
    tree: [`/f = "1" '1' it's|`],
  },
  {
    says: 'a backslash in a file keeps a dollar',
    dockerfile: raw`FROM scratch
ENV V=1
COPY <<EOF /f
\$V \\ $V
EOF
`,
    config: { Env: ['V=1'] },
    tree: [raw`/f = $V \ 1|`],
  },
  {
    says: 'a dash takes the tabs from the lines, and from the end',
    dockerfile: 'FROM scratch\nCOPY <<-EOF /f\n\tone\n\t\ttwo\n  three\n\tEOF\n',
    tree: ['/f = one|two|  three|'],
  },
  {
    says: 'without a dash the tabs stay, and a line with a tab is no end',
    dockerfile: 'FROM scratch\nCOPY <<EOF /f\n\tone\n\tEOF\nEOF\n',
    tree: ['/f = \tone|\tEOF|'],
  },
  {
    says: 'a dash goes with quotes',
    dockerfile: 'FROM scratch\nENV V=1\nCOPY <<-"EOF" /f\n\t$V\n\tEOF\n',
    config: { Env: ['V=1'] },
    tree: ['/f = $V|'],
  },
  {
    says: 'comments and instructions in a file are text',
    dockerfile: 'FROM scratch\nCOPY <<EOF /f\n# no comment\nFROM x\nRUN y \\\nEOF\n',
    tree: ['/f = # no comment|FROM x|RUN y |'],
  },
  {
    says: 'an empty line in a file is one',
    dockerfile: 'FROM scratch\nCOPY <<EOF /f\n\na\n\nEOF\n',
    tree: ['/f = |a||'],
  },
  {
    says: 'a file has the owner and the mode that are said',
    dockerfile: 'FROM scratch\nCOPY --chown=5:6 --chmod=755 <<EOF /d/\n#!x\nEOF\n',
    tree: ['/d/ 5:6', '/d/EOF 755 5:6 = #!x|'],
  },
  {
    says: 'line ends of Windows are no part of the end',
    dockerfile: 'FROM scratch\r\nCOPY <<EOF /f\r\na\r\nEOF\r\nLABEL a=b\r\n',
    config: { Labels: { a: 'b' } },
    tree: ['/f = a|'],
  },
  {
    says: 'a file stands behind all lines of its instruction',
    dockerfile: 'FROM scratch\nCOPY <<EOF \\\n  /f\none\nEOF\n',
    tree: ['/f = one|'],
  },
  {
    says: 'a file without an end is an error',
    dockerfile: 'FROM scratch\nCOPY <<EOF /f\na\n',
    fails: { line: 2, words: /heredoc EOF has no end/ },
  },
  {
    says: 'a target is no file that stands there',
    dockerfile: 'FROM scratch\nCOPY a <<EOF\nx\nEOF\n',
    context: { a: '' },
    fails: { line: 2, words: /where to/ },
  },
  {
    says: 'CMD knows no text under it',
    dockerfile: 'FROM scratch\nCMD cat <<EOF\n',
    config: { Cmd: ['/bin/sh', '-c', 'cat <<EOF'] },
  },
  {
    says: 'what ONBUILD has under it is there when it is carried out',
    see: 'ONBUILD',
    dockerfile: 'FROM below\n',
    images: { below: { dockerfile: 'FROM scratch\nONBUILD COPY <<EOF /f\n$V one\nEOF\n' } },
    tree: ['/f =  one|'],
  },
  {
    says: 'the place of a file is put in like any other',
    dockerfile: 'FROM scratch\nENV D=/d\nCOPY <<EOF $D/f\nx\nEOF\n',
    config: { Env: ['D=/d'] },
    tree: ['/d/', '/d/f = x|'],
  },
])
