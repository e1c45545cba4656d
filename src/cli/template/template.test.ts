import { expect, test } from 'bun:test';
import { compileTemplate, TemplateError } from './index.ts';

const data = {
  State: { Status: 'running', Pid: 3, Paused: false }, Name: 'x', Cmd: ['a', 'b'], Map: { b: 1, a: 2 }, None: null, Zero: 0, Half: 1.5,
  Label: (name: unknown) => `label-${String(name)}`,
};

function run(source: string): string {
  return compileTemplate(source).run(data);
}

test.each([
  ['{{.State.Status}}', 'running'],
  ['{{json .State}}', '{"Status":"running","Pid":3,"Paused":false}'],
  ['{{range $i, $v := .Cmd}}{{$i}}={{$v}},{{else}}none{{end}}', '0=a,1=b,'],
  ['{{range .Map}}{{.}} {{end}}', '2 1 '],
  ['{{range $k, $v := .Map}}{{$k}}{{$v}}{{end}}', 'a2b1'],
  ['{{range .None}}x{{else}}empty{{end}}', 'empty'],
  ['{{range .Cmd}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', 'a'],
  ['{{range .Cmd}}{{if eq . "a"}}{{continue}}{{end}}{{.}}{{end}}', 'b'],
  ['{{if .Zero}}1{{else if .State.Paused}}2{{else}}3{{end}}', '3'],
  ['{{with .State}}{{.Pid}}{{end}}', '3'],
  ['{{with $s := .State}}{{$s.Pid}}{{$.Name}}{{end}}', '3x'],
  ['{{$x := 1}}{{if true}}{{$x = 2}}{{$y := 3}}{{$y}}{{end}}{{$x}}', '32'],
  ['{{join .Cmd "," | upper}}', 'A,B'],
  ['{{.Name | printf "%s-%s" "a"}}', 'a-x'],
  ['{{printf "%-4s|%4d|%04d|%q|%x|%t|%v|%5.2f" .Name 7 7 .Name .Name true .Cmd .Half}}', 'x   |   7|0007|"x"|78|true|[a b]| 1.50'],
  ['{{printf "%d" .Name}}', '%!d(string=x)'],
  ['{{printf "%d %s" 1}}', '1 %!s(MISSING)'],
  ['{{.Map}} {{.None}} {{.Half}}', 'map[a:2 b:1] <nil> 1.5'],
  ['{{len .Cmd}}{{len .Name}}{{index .Cmd 1}}{{index .Map "a"}}{{slice .Name 0 1}}', '21b2x'],
  ['{{and .Name .Zero}}{{or .Zero .Name}}{{not .Zero}}', '0xtrue'],
  ['{{eq .Name "y" "x"}}{{ne 1 2}}{{lt 1 2}}{{le 2 2}}{{gt 1 2}}{{ge 2 3}}', 'truetruetruetruefalsefalse'],
  ['{{lower "AB"}}{{title "ab cd"}}{{truncate "abcdef" 3}}[{{pad "x" 1 2}}]{{split "a,b" ","}}', 'abAb Cdabc[ x  ][a b]'],
  ['{{.Label "k"}}', 'label-k'],
  ['a {{- /* comment */ -}} b {{- .Name -}} c', 'abxc'],
  ['{{"a\\tb"}}{{`raw\\n`}}{{\'a\'}}', 'a\tbraw\\n97'],
  ['{{println "x" 1}}{{print 1 2 "a"}}', 'x 1\n1 2a'],
  ['{{(index .Cmd 0) | upper}}{{(.State).Pid}}', 'A3'],
])('%s', (source, expected) => {
  expect(run(source)).toBe(expected);
});

test.each([
  ['{{.Nope}}', 'template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"'],
  ['{{.State.Nope}}', 'template: :1:8: executing "" at <.State.Nope>: map has no entry for key "Nope"'],
  ['x\n{{.Name.y}}', 'template: :2:7: executing "" at <.Name.y>: can\'t evaluate field y in type string'],
  ['{{index .Cmd 5}}', 'template: :1:2: executing "" at <index .Cmd 5>: error calling index: index out of range: 5'],
  ['{{eq 1 "x"}}', 'template: :1:2: executing "" at <eq 1 "x">: error calling eq: incompatible types for comparison'],
  ['{{.Name 1}}', 'template: :1:2: executing "" at <.Name>: Name has arguments but cannot be invoked as function'],
  ['{{join .Cmd}}', 'template: :1:2: executing "" at <join>: wrong number of args for join: want 2 got 1'],
  ['{{range .State.Pid}}{{range 9999999}}{{range 9999999}}{{end}}{{end}}{{end}}', 'template: :1: executing "": the template does not end'],
])('%s fails', (source, message) => {
  expect(() => run(source)).toThrow(new TemplateError(message));
});

test.each([
  ['{{.Name', 'unclosed action'], ['{{end}}', 'unexpected {{end}}'], ['{{if .Name}}', 'unexpected EOF'], ['{{foo}}', 'function "foo" not defined'],
  ['{{$y}}', 'undefined variable "$y"'], ['{{}}', 'missing value for command'], ['{{1 | 2}}', 'non executable command in pipeline stage 2'],
  ['{{break}}', '{{break}} outside {{range}}'], ['{{"abc}}', 'unterminated quoted string'], ['{{/* x }}', 'unclosed comment'],
  ['{{(.Name}}', 'unclosed left paren'],
  ['{{template "x"}}', '{{template}} is not supported in a format'],
])('%s cannot be parsed', (source, message) => {
  expect(() => compileTemplate(source)).toThrow(new TemplateError(`template parsing error: template: :1: ${message}`));
});

test('escapes and table headers', () => {
  const template = compileTemplate('{{.ID}}\\t{{upper .Name}}\\n{{json .X}}', { escapes: true });
  expect(template.run({ ID: '1', Name: 'n', X: 2 })).toBe('1\tN\n2');
  expect(template.runHeader({ ID: 'ID', Name: 'Names', X: 'ex' })).toBe('ID\tNames\nex');
});

test('random templates end, and throw nothing but TemplateError', () => {
  let seed = 42;
  const next = (n: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * n);
  };
  const pieces = [
    '{{', '}}', '{{-', '-}}', ' ', '.', '.Name', '.Cmd', '$', '$x', ':=', '=', '|', '(', ')', '"a"', '`', "'", '1', '-1.5e3', 'range', 'if', 'else',
    'end', 'with', 'json',
    'join', 'printf', '"%d%s%*x"', 'len', 'index', 'nil', 'true', 'break', ',', '/*', '*/', '\n', 'é', '\\', 'and', 'eq', '99999',
  ];
  for (let round = 0; round < 4000; round++) {
    const source = Array.from({ length: next(24) }, () => pieces[next(pieces.length)]).join(next(2) === 0 ? ' ' : '');
    try {
      compileTemplate(source).run(data);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw new Error(`${JSON.stringify(source)}: ${String(error)}`);
    }
  }
  expect(() => compileTemplate(`${'{{if 1}}'.repeat(200)}${'{{end}}'.repeat(200)}`)).toThrow('nested too deeply');
});
