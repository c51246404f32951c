import yaml from 'js-yaml';

const truths = ['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'];
const falsehoods = ['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'];

/**
 * kubectl reads YAML 1.1, where `yes` is a boolean (go-yaml v2 `resolve.go`). Read as text it would come back quoted
 * and kubectl would refuse the file.
 */
const yaml11Bool = new yaml.Type('tag:yaml.org,2002:bool', {
  kind: 'scalar',
  resolve: (data: unknown) => typeof data === 'string' && [...truths, ...falsehoods].includes(data),
  construct: (data: unknown) => typeof data === 'string' && truths.includes(data),
  predicate: (value: unknown) => typeof value === 'boolean',
  represent: (value: unknown) => (value === true ? 'true' : 'false'),
});

/** A date stays the text that it is. */
const noTimestamp = new yaml.Type('tag:yaml.org,2002:timestamp', { kind: 'scalar', resolve: () => false });

const schema = yaml.DEFAULT_SCHEMA.extend({ implicit: [yaml11Bool, noTimestamp] });

/** Reads a kubeconfig's YAML as kubectl would. Throws js-yaml's error, which names line and column. */
export function loadKubeconfigYaml(text: string): unknown {
  return yaml.load(text, { schema });
}

/** Writes it so that every YAML reader gets the same values back: what looks like a date or a boolean is quoted. */
export function dumpKubeconfigYaml(value: unknown): string {
  return yaml.dump(value, { lineWidth: -1, noRefs: true, noArrayIndent: true });
}
