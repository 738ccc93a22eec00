import { expect, test } from 'vitest'
import { goTemplate, tableHeader } from '../../src/cli/go-template.ts'

const value = {
  Id: 'sha256:1',
  digest: 'sha256:2',
  Config: { Env: ['A=1', 'B=2'], Labels: { 'org.a': 'x', b: 'y' }, Cmd: null, User: '' },
  Size: 12,
  RepoTags: ['a:1', 'b:2'],
}

const cases: readonly [string, string][] = [
  ['{{.Id}}', 'sha256:1'],
  ['{{ .Digest }}', 'sha256:2'],
  ['{{json .Config.Env}}', '["A=1","B=2"]'],
  [
    '{{.Config.Env}} {{.Config.Labels}} {{.Config.Cmd}} {{.None.At.All}}',
    '[A=1 B=2] map[b:y org.a:x] <no value> <no value>',
  ],
  ['{{index .Config.Labels "org.a"}} {{index .RepoTags 1}}', 'x b:2'],
  ['{{join .RepoTags ", "}}', 'a:1, b:2'],
  ['{{range .Config.Env}}{{.}};{{end}}', 'A=1;B=2;'],
  ['{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}\\n{{end}}', 'b=y\norg.a=x\n'],
  ['{{range $i, $e := .RepoTags}}{{if $i}},{{end}}{{$e}}{{end}}', 'a:1,b:2'],
  ['{{range .Config.Cmd}}x{{else}}none{{end}}', 'none'],
  ['{{if .Config.User}}{{.Config.User}}{{else if eq .Size 12}}twelve{{else}}?{{end}}', 'twelve'],
  ['{{with .Config}}{{len .Env}}{{end}}{{$.Size}}', '212'],
  ['{{.Id | upper | printf "%q %s"}}', '"SHA256:1" <no value>'],
  ['{{printf "%-5s|%3d" .Size 7}}', '12   |  7'],
  ['{{$x := .Size}}{{if and (gt $x 10) (not .Config.User)}}yes{{end}}', 'yes'],
  ['a  {{- .Size -}}  b', 'a12b'],
  ['{{"}}"}}{{`raw`}}{{/* nothing */}}', '}}raw'],
  ['{{.Id}}\\t{{.Size}}', 'sha256:1\t12'],
  ['{{(index .RepoTags 0) | len}}', '3'],
  ['{{index (split .Id ":") 1}}', '1'],
  ['{{lower "ABC"}} {{title "two words"}} {{truncate .Id 6}}', 'abc Two Words sha256'],
  ['{{print 1 "a" true}}|{{println "x" 2}}', '1 a true|x 2\n'],
  ['{{ne .Size 12}} {{lt .Size 12}} {{le .Size 12}} {{ge .Size 13}}', 'false false true false'],
  ['{{or .Config.User .Id "x"}} {{or .Config.User .None "last"}}', 'sha256:1 last'],
]
for (const [template, expected] of cases) test(template, () => expect(goTemplate(template)(value)).toBe(expected))

test('json alone is all of it', () => expect(JSON.parse(goTemplate('json')(value))).toEqual(value))

for (const [template, reason] of [
  ['{{.Id', 'not closed'],
  ['{{nothing .Id}}', 'no function nothing'],
  ['{{if .Id}}', 'without {{end}}'],
  ['{{end}}', 'unexpected'],
  ['{{.Id | .Size}}', 'no function behind the pipe'],
  ['{{(.Id}}', 'parenthesis'],
  ['{{"x}}', 'not closed'],
  ['{{}}', 'not understood'],
] as const)
  test(`refuses ${template}`, () => expect(() => goTemplate(template)).toThrow(reason))

test('a table has a header of the names of its fields', () => {
  expect(tableHeader('table {{.ID}}\\t{{.CreatedBy}}\\t{{json .Size}}')).toEqual({
    template: '{{.ID}}\\t{{.CreatedBy}}\\t{{json .Size}}',
    header: 'ID\tCREATED BY\tSIZE',
  })
  expect(tableHeader('{{.ID}}')).toBeUndefined()
})
