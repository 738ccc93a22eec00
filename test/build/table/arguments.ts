import { type Case, group } from './case.ts'

/** ARG: where it holds, and what is there without it. */
export const argumentCases: readonly Case[] = group({ see: 'ARG' }, [
  {
    says: 'an argument has its default where the user says nothing',
    dockerfile: 'FROM scratch\nARG A=1 B="x y" C\nLABEL a=$A b=$B c=[$C]\n',
    config: { Labels: { a: '1', b: 'x y', c: '[]' } },
  },
  {
    says: 'an argument has what the user says',
    dockerfile: 'FROM scratch\nARG A=1\nARG B\nLABEL a=$A b=$B\n',
    args: { A: '2', B: 'x  y' },
    config: { Labels: { a: '2', b: 'x  y' } },
  },
  {
    says: 'an argument that no ARG names is not there',
    dockerfile: 'FROM scratch\nLABEL a=[$A]\n',
    args: { A: '2' },
    config: { Labels: { a: '[]' } },
  },
  {
    says: 'an argument holds from its line on',
    see: 'Scope',
    dockerfile: 'FROM scratch\nUSER ${username:-some_user}\nARG username\nLABEL user=$username\n',
    args: { username: 'what_user' },
    config: { User: 'some_user', Labels: { user: 'what_user' } },
  },
  {
    says: 'a default may hold arguments that stand in front of it',
    dockerfile: 'FROM scratch\nARG A=1\nARG B=$A-${C:-c}\nLABEL b=$B\n',
    args: { A: 'x' },
    config: { Labels: { b: 'x-c' } },
  },
  {
    says: 'one ARG gives its arguments one after the other',
    dockerfile: 'FROM scratch\nARG A=1 B=$A\nLABEL a=$A b=[$B]\n',
    config: { Labels: { a: '1', b: '[1]' } },
  },
  {
    says: 'an argument in front of the first FROM is for FROM alone',
    see: 'Understand how ARG and FROM interact',
    dockerfile: 'ARG V=base\nFROM scratch AS base\nFROM $V\nLABEL v=[$V]\n',
    config: { Labels: { v: '[]' } },
  },
  {
    says: 'an ARG without a default takes what stands in front of the first FROM',
    see: 'Understand how ARG and FROM interact',
    dockerfile: 'ARG V=1\nARG W=$V-w\nFROM scratch\nARG V\nARG W\nLABEL v=$V w=$W\n',
    config: { Labels: { v: '1', w: '1-w' } },
  },
  {
    says: 'an ARG with a default has that, and not what stands in front of the first FROM',
    dockerfile: 'ARG V=1\nFROM scratch\nARG V=2\nLABEL v=$V\n',
    config: { Labels: { v: '2' } },
  },
  {
    says: 'an argument of the user goes before all defaults',
    dockerfile: 'ARG V=1\nFROM scratch\nARG V=2\nLABEL v=$V\n',
    args: { V: '3' },
    config: { Labels: { v: '3' } },
  },
  {
    says: 'the user may say which image is below',
    dockerfile: 'ARG V=one\nFROM scratch AS one\nLABEL is=one\nFROM scratch AS two\nLABEL is=two\nFROM ${V}\n',
    args: { V: 'two' },
    config: { Labels: { is: 'two' } },
  },
  {
    says: 'an argument of one stage is none of another',
    see: 'Scope',
    dockerfile: 'FROM scratch AS a\nARG V=1\nFROM scratch\nLABEL v=[$V]\n',
    config: { Labels: { v: '[]' } },
  },
  {
    says: 'an argument of a stage is one of the stages on it',
    see: 'Scope',
    dockerfile: 'FROM scratch AS a\nARG V=1\nFROM a AS b\nFROM b\nLABEL v=[$V]\n',
    config: { Labels: { v: '[1]' } },
  },
  {
    says: 'an argument that the user gives a stage is one of the stages on it',
    see: 'Scope',
    dockerfile: 'FROM scratch AS a\nARG V\nFROM a\nLABEL v=[$V]\n',
    args: { V: '2' },
    config: { Labels: { v: '[2]' } },
  },
  {
    says: 'an argument is in no configuration',
    dockerfile: 'FROM scratch\nARG A=1\n',
    config: {},
  },
  {
    says: 'ENV goes before ARG of the same name',
    see: 'Using ARG variables',
    dockerfile: 'FROM scratch\nARG CONT_IMG_VER\nENV CONT_IMG_VER=v1.0.0\nLABEL v=$CONT_IMG_VER\n',
    args: { CONT_IMG_VER: 'v2.0.1' },
    config: { Env: ['CONT_IMG_VER=v1.0.0'], Labels: { v: 'v1.0.0' } },
  },
  {
    says: 'ENV keeps what an argument says, with a default of its own',
    see: 'Using ARG variables',
    dockerfile: 'FROM scratch\nARG CONT_IMG_VER\nENV CONT_IMG_VER=${CONT_IMG_VER:-v1.0.0}\n',
    config: { Env: ['CONT_IMG_VER=v1.0.0'] },
  },
  {
    says: 'an argument that is named again without a value keeps the one that it has',
    dockerfile: 'FROM scratch\nARG A=1\nARG A\nLABEL a=[$A]\n',
    config: { Labels: { a: '[1]' } },
  },
  {
    says: 'an argument may be said to be empty',
    dockerfile: 'FROM scratch\nARG A=1\nLABEL a=[$A] b=${A-unset} c=${A:-empty}\n',
    args: { A: '' },
    config: { Labels: { a: '[]', b: '', c: 'empty' } },
  },
  {
    says: 'what the platform is called is there for FROM, and in a stage that asks for it',
    see: 'Automatic platform ARGs in the global scope',
    dockerfile:
      'FROM scratch AS base-arm\nFROM base-$TARGETARCH\nLABEL a=[$TARGETARCH]\nARG TARGETARCH\nARG TARGETOS\nARG TARGETVARIANT\nARG TARGETPLATFORM\nLABEL b=$TARGETPLATFORM,$TARGETOS,$TARGETARCH,$TARGETVARIANT\n',
    wanted: 'linux/arm/v6',
    config: { Labels: { a: '[]', b: 'linux/arm/v6,linux,arm,v6' } },
    platform: 'linux/arm/v6',
  },
  {
    says: 'a variant that the platform has not is empty, and set',
    dockerfile: 'FROM scratch\nARG TARGETVARIANT\nLABEL v=[${TARGETVARIANT-unset}]\n',
    config: { Labels: { v: '[]' } },
  },
  {
    says: 'the machine that builds has a name as well',
    dockerfile: 'FROM scratch\nARG BUILDOS\nARG BUILDPLATFORM\nLABEL os=$BUILDOS same=${BUILDPLATFORM%%/*}\n',
    config: { Labels: { os: 'linux', same: 'linux' } },
  },
  {
    says: 'the user may say another platform to the stages than there is',
    dockerfile: 'FROM scratch\nARG TARGETARCH\nLABEL a=$TARGETARCH\n',
    args: { TARGETARCH: 'mine' },
    config: { Labels: { a: 'mine' } },
    platform: 'linux/amd64',
  },
  {
    says: 'a proxy of the user is there where an ARG asks for it',
    see: 'Predefined ARGs',
    dockerfile: 'FROM scratch\nLABEL a=[$HTTP_PROXY]\nARG HTTP_PROXY\nLABEL b=[$HTTP_PROXY]\n',
    args: { HTTP_PROXY: 'http://p' },
    config: { Labels: { a: '[]', b: '[http://p]' } },
  },
  {
    says: 'a default that fails is an error in its line',
    dockerfile: 'FROM scratch\nARG FOO\nARG BAR=${FOO:?"foo missing"}\n',
    fails: { line: 3, words: /FOO: foo missing/ },
  },
  {
    says: 'a default in front of the first FROM that fails is an error',
    dockerfile: 'ARG FOO=${FOO:?"custom error"}\nFROM scratch\n',
    fails: { line: 1, words: /FOO: custom error/ },
  },
  {
    says: 'an argument wants a name',
    dockerfile: 'FROM scratch\nARG =x\n',
    fails: { line: 2, words: /no name in =x/ },
  },
])
