import type { V1Node } from '../../kube/node-objects.js';
import type { V1NodeSelectorRequirement, V1NodeSelectorTerm, V1Pod } from '../../kube/pod-objects.js';

/** True where the node's labels satisfy the pod's nodeSelector and required node affinity. Pure. */
export function matchesNode(pod: V1Pod, node: V1Node): boolean {
  const labels = node.metadata?.labels ?? {};
  const selector = Object.entries(pod.spec?.nodeSelector ?? {});
  if (!selector.every(([name, value]) => labels[name] === value)) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** A term without requirements matches nothing, as upstream has it. */
function matchesTerm(term: V1NodeSelectorTerm, node: V1Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  const labels = node.metadata?.labels ?? {};
  return (
    expressions.every((requirement) => matches(requirement, labels[requirement.key])) &&
    fields.every((requirement) => requirement.key === 'metadata.name' && matches(requirement, node.metadata?.name))
  );
}

function matches({ operator, values = [] }: V1NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const [bound] = values;
      if (value === undefined || bound === undefined || !isInteger(value) || !isInteger(bound)) return false;
      return operator === 'Gt' ? Number(value) > Number(bound) : Number(value) < Number(bound);
    }
    default:
      return false;
  }
}

function isInteger(text: string): boolean {
  return /^[+-]?\d+$/.test(text);
}
