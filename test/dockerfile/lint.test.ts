import { describe, expect, test } from 'vitest'
import { type LintOptions, lint, lintRules, parseDockerfile } from '../../src/dockerfile/index.ts'

const found = (text: string, options: LintOptions = {}) =>
  lint(parseDockerfile(text), options).map(({ rule, line }) => `${line} ${rule}`)
const base = {
  environment: ['PATH=/bin', 'JAVA_HOME=/java'],
  shell: false,
  platform: 'linux/amd64',
  wanted: 'linux/amd64',
}
const known: LintOptions = { bases: new Map([[0, base]]), isIgnored: (path) => path.startsWith('tmp/') }

/** A Dockerfile, and what is found in it: `LINE RULE`. */
const cases: readonly (readonly [string, readonly string[], LintOptions?])[] = [
  ['FROM a AS Build', ['1 StageNameCasing']],
  ['FROM a AS build', []],
  ['FROM a as build', ['1 FromAsCasing']],
  ['from a as build', []],
  ['from a AS build', ['1 FromAsCasing']],
  ['FROM a\nRUN a \\\n\n  b', ['4 NoEmptyContinuation']],
  ['FROM a\nRUN a \\\n# why\n  b', []],
  ['FROM a\nrun x', ['2 ConsistentInstructionCasing']],
  ['from a\nrun x\nUSER y', ['3 ConsistentInstructionCasing']],
  ['FROM a\nRun x', ['2 ConsistentInstructionCasing']],
  ['from a\nrun x', []],
  ['FROM a AS x\nFROM b AS X', ['2 StageNameCasing', '2 DuplicateStageName']],
  ['FROM a AS scratch', ['1 ReservedStageName']],
  ['FROM a AS context', ['1 ReservedStageName']],
  ['FROM a\nCMD x', ['2 JSONArgsRecommended']],
  ['FROM a\nENTRYPOINT x y', ['2 JSONArgsRecommended']],
  ['FROM a\nSHELL ["/bin/bash", "-c"]\nCMD x', []],
  ['FROM a AS b\nSHELL ["/bin/bash", "-c"]\nFROM b\nCMD x', []],
  ['FROM a\nCMD x', [], { bases: new Map([[0, { ...base, shell: true }]]) }],
  ['FROM a\nCMD ["x"]\nHEALTHCHECK CMD x', []],
  ['FROM a\nMAINTAINER me', ['2 MaintainerDeprecated']],
  ['FROM a:$V', ['1 UndefinedArgInFrom', '1 InvalidDefaultArgInFrom']],
  ['ARG V=1\nFROM a:$V', []],
  ['ARG V\nFROM a:$V', ['2 InvalidDefaultArgInFrom']],
  ['ARG V\nFROM a:$V', ['2 InvalidDefaultArgInFrom'], { args: new Map([['V', '1']]) }],
  ['ARG V\nFROM a:${V:-1}', []],
  ['ARG V\nFROM $V', ['2 InvalidDefaultArgInFrom']],
  ['FROM --platform=$BUILDPLATFORM a', []],
  ['FROM --platform=$BUILDPLATFROM a', ['1 UndefinedArgInFrom']],
  ['FROM a AS amd64\nFROM a AS arm64\nFROM ${TARGETARCH}', []],
  ['FROM a\nCOPY $x /', ['2 UndefinedVar'], known],
  ['FROM a\nCOPY $x /', []],
  ['FROM scratch\nCOPY $x /', ['2 UndefinedVar']],
  ['FROM a\nARG x\nCOPY $x /', [], known],
  ['FROM scratch AS a\nARG x\nFROM a\nCOPY $x /', []],
  ['FROM a\nENV PATH=$PATH:$JAVA_HOME/bin', [], known],
  ['FROM a\nENV PATH=$PAHT:/x', ['2 UndefinedVar'], known],
  ['FROM a\nENV A=1 B=$A', ['2 UndefinedVar'], known],
  ['FROM a\nENV A=1\nENV B=$A', [], known],
  ['FROM a\nENV B=${A:-x}', [], known],
  ["FROM a\nENV B='$A' C=\\$A", [], known],
  ['FROM a\nWORKDIR /$TARGETARCH', ['2 UndefinedVar'], known],
  ['FROM a\nARG TARGETARCH\nWORKDIR /$TARGETARCH', [], known],
  ['FROM a AS b\nENV A=1\nFROM b\nLABEL x=$A y=$B', ['4 UndefinedVar'], known],
  ['FROM a\nRUN echo $x', [], known],
  ['FROM a\nRUN --mount=type=cache,target=/$x true', ['2 UndefinedVar'], known],
  ['FROM a\nARG A=$B', ['2 UndefinedVar'], known],
  ['FROM a\nCMD ["a"]\nCMD ["b"]\nCMD ["c"]', ['2 MultipleInstructionsDisallowed', '3 MultipleInstructionsDisallowed']],
  ['FROM a\nENTRYPOINT ["a"]\nENTRYPOINT ["b"]', ['2 MultipleInstructionsDisallowed']],
  ['FROM a\nHEALTHCHECK NONE\nHEALTHCHECK NONE', ['2 MultipleInstructionsDisallowed']],
  ['FROM a\nCMD ["a"]\nFROM b\nCMD ["b"]', []],
  ['FROM a\nWORKDIR app', ['2 WorkdirRelativePath']],
  ['FROM a\nWORKDIR /app\nWORKDIR src', []],
  ['FROM a AS b\nWORKDIR /app\nFROM b\nWORKDIR src', []],
  ['FROM a\nARG d=/x\nWORKDIR $d', []],
  ['FROM a\nENV a b', ['2 LegacyKeyValueFormat']],
  ['FROM a\nLABEL a b', ['2 LegacyKeyValueFormat']],
  ['FROM a\nENV a=b', []],
  ['FROM --platform=$TARGETPLATFORM a', ['1 RedundantTargetPlatform']],
  ['FROM --platform=${TARGETPLATFORM} a', ['1 RedundantTargetPlatform']],
  [
    'FROM a\nARG API_KEY\nENV GITHUB_TOKEN=x PUBLIC_KEY=y KEYBOARD=z',
    ['2 SecretsUsedInArgOrEnv', '3 SecretsUsedInArgOrEnv'],
  ],
  ['ARG password\nFROM a', ['1 SecretsUsedInArgOrEnv']],
  ['FROM --platform=linux/amd64 a', ['1 FromPlatformFlagConstDisallowed']],
  ['FROM --platform=linux/amd64 a AS build_amd64', []],
  [
    'FROM a\nCOPY tmp/x /\nADD ./tmp/y /\nCOPY --from=b tmp/x /\nCOPY tmp* . /x/',
    ['2 CopyIgnoredFile', '3 CopyIgnoredFile'],
    known,
  ],
  ['FROM a\nADD https://example.com/tmp/x /', [], known],
  ['# not about it\nFROM a AS b', []],
  ['# check=experimental=all\n# not about it\nFROM a AS b', ['3 InvalidDefinitionDescription']],
  ['# check=experimental=InvalidDefinitionDescription\n# b is it\nFROM a AS b\n# V says\n# more\nARG V=1', []],
  ['# check=experimental=all\n# by itself\n\nFROM a AS b\n# by itself\n#\nARG V=1\nRUN x', []],
  ['# check=experimental=all\nFROM a AS b', []],
  ['FROM a\nEXPOSE 80/TCP 81/tcp', ['2 ExposeProtoCasing']],
  ['FROM a\nEXPOSE 127.0.0.1:80:80', ['2 ExposeInvalidFormat']],
  ['FROM a\nEXPOSE 8000:80/tcp 90', ['2 ExposeInvalidFormat']],
  ['FROM a', ['1 InvalidBaseImagePlatform'], { bases: new Map([[0, { ...base, wanted: 'linux/arm64' }]]) }],
  ['FROM a', [], { bases: new Map([[0, { ...base, platform: 'linux/arm/v6', wanted: 'linux/arm' }]]) }],
  ['# check=skip=all\nFROM a as B\nCMD x', []],
  ['# check=skip=JSONArgsRecommended,stagenamecasing\nFROM a as B\nCMD x', ['2 FromAsCasing']],
  ['# check=skip=all\nFROM a\nCMD x', ['3 JSONArgsRecommended'], { check: 'skip=FromAsCasing' }],
  ['ARG A=${B:?no}\nFROM $A\nENV X=${Y', []],
]

describe('the checks of a Dockerfile', () => {
  for (const [text, wanted, options] of cases) {
    test(`find ${wanted.join(', ') || 'nothing'} in ${JSON.stringify(text)}${options === undefined ? '' : ' with what is known'}`, () => {
      expect(found(text, options)).toEqual(wanted)
    })
  }

  test('have a case for every rule', () => {
    const all = new Set(cases.flatMap(([, wanted]) => wanted.map((one) => one.split(' ')[1])))
    expect([...all].sort()).toEqual([...lintRules].sort())
  })

  test('say what may have been meant', () => {
    const [finding] = lint(parseDockerfile('FROM scratch\nENV PATH=$PAHT:/x'))
    expect(finding?.text).toBe('nothing has set PAHT; did you mean PATH?')
  })

  test('refuse what they are told and do not know', () => {
    expect(() => lint(parseDockerfile('FROM a'), { check: 'skipp=all' })).toThrow(/check takes skip=NAMES/)
  })
})
