import { messageOf } from '../../base/errors.js';
import type { V1Service } from '../../kube/objects.js';
import type { V1Container, V1EnvVar, V1Pod } from '../../kube/pod-objects.js';
import { type EnvironmentMaker, type ObjectCache, type PodEvents, PodFailure, type Services } from '../types.js';
import { expand } from './expansion.js';
import { extractFieldPath, extractResourceValue } from './field-path.js';
import { isStaticPod } from './pod-names.js';
import { serviceEnvironment } from './service-environment.js';

export interface EnvironmentMakerOptions {
  readonly objects: Pick<ObjectCache, 'configMap' | 'secret'>;
  readonly services: Services;
  /** What the node can give to pods, as quantities by resource: the limit of what has none. */
  readonly allocatable: () => Readonly<Record<string, string>>;
  readonly hostIps: readonly string[];
  readonly events: Pick<PodEvents, 'pod'>;
}

/** What config maps and secrets have in common here: text by key. */
type Source = Readonly<Record<string, string>>;

/** A config map or secret, asked for once a container; undefined where it doesn't exist. */
type Lookup = (kind: 'ConfigMap' | 'Secret', name: string) => Promise<Source | undefined>;

/**
 * Makes the environment of containers: `envFrom` in order, `env` in order (a later one wins), then the Services' variables
 * that nothing has defined. `$(NAME)` in a value means what was defined before it, or a Service's. A static pod doesn't
 * wait for the first list of Services, which may come from an API server that this pod is. Every failure is a PodFailure
 * `CreateContainerConfigError` (v1.20 `kubelet_pods.go` `makeEnvironmentVariables`).
 */
export function createEnvironmentMaker(options: EnvironmentMakerOptions): EnvironmentMaker {
  const { objects, services, allocatable, hostIps, events } = options;

  /** Keys are fetched anew for each container, so that a retry sees what has changed. */
  function makeLookup(namespace: string): Lookup {
    const known = new Map<string, Promise<Source | undefined>>();
    const fetch = async (kind: 'ConfigMap' | 'Secret', name: string): Promise<Source | undefined> => {
      if (kind === 'ConfigMap') {
        const found = await objects.configMap(namespace, name);
        return found && (found.data ?? {});
      }
      const found = await objects.secret(namespace, name);
      return found && decode(found.data ?? {});
    };
    return (kind, name) => {
      const key = `${kind}/${name}`;
      const found = known.get(key) ?? fetch(kind, name);
      known.set(key, found);
      return found;
    };
  }

  async function addEnvFrom(variables: Map<string, string>, pod: V1Pod, container: V1Container, lookup: Lookup) {
    for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
      const reference = configMapRef ?? secretRef;
      if (!reference) continue;
      const kind = configMapRef ? 'ConfigMap' : 'Secret';
      const name = reference.name ?? '';
      const source = await lookup(kind, name);
      if (!source) {
        if (reference.optional === true) continue;
        throw notFound(kind, name);
      }
      const skipped: string[] = [];
      for (const key of Object.keys(source).sort()) {
        const variable = `${prefix}${key}`;
        if (isVariableName(variable)) variables.set(variable, source[key] ?? '');
        else skipped.push(variable);
      }
      if (skipped.length > 0) {
        events.pod(
          pod,
          'Warning',
          'InvalidEnvironmentVariableNames',
          `Keys [${skipped.join(', ')}] from the EnvFrom ${configMapRef ? 'configMap' : 'secret'} ${pod.metadata?.namespace ?? ''}/${name} were skipped since they are considered invalid environment variable names.`,
        );
      }
    }
  }

  /** Undefined where the variable is left out: an optional key that isn't there. */
  async function resolveValue(
    { valueFrom }: V1EnvVar,
    pod: V1Pod,
    container: V1Container,
    podIps: readonly string[],
    lookup: Lookup,
  ): Promise<string | undefined> {
    if (valueFrom?.fieldRef) return extractFieldPath(pod, valueFrom.fieldRef.fieldPath, hostIps, podIps);
    if (valueFrom?.resourceFieldRef) {
      return extractResourceValue(pod, valueFrom.resourceFieldRef, container, allocatable());
    }
    const selector = valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef;
    if (!selector) return '';
    const kind = valueFrom?.configMapKeyRef ? 'ConfigMap' : 'Secret';
    const name = selector.name ?? '';
    const source = await lookup(kind, name);
    if (source && Object.hasOwn(source, selector.key)) return source[selector.key];
    if (selector.optional === true) return undefined;
    if (!source) throw notFound(kind, name);
    throw new PodFailure(
      'CreateContainerConfigError',
      `couldn't find key ${selector.key} in ${kind} ${pod.metadata?.namespace ?? ''}/${name}`,
    );
  }

  async function make(pod: V1Pod, container: V1Container, podIps: readonly string[]): Promise<Map<string, string>> {
    const namespace = pod.metadata?.namespace ?? '';
    const known = isStaticPod(pod) ? await listedServices(services) : await services.services();
    const fromServices = serviceEnvironment(known, namespace, pod.spec?.enableServiceLinks !== false);
    const lookup = makeLookup(namespace);
    const variables = new Map<string, string>();
    await addEnvFrom(variables, pod, container, lookup);
    for (const variable of container.env ?? []) {
      const { name, value = '' } = variable;
      const found =
        value === ''
          ? await resolveValue(variable, pod, container, podIps, lookup)
          : expand(value, (reference) => variables.get(reference) ?? fromServices.get(reference));
      if (found !== undefined) variables.set(name, found);
    }
    for (const [name, value] of fromServices) if (!variables.has(name)) variables.set(name, value);
    return variables;
  }

  return {
    async makeEnvironment(pod, container, podIps) {
      try {
        return await make(pod, container, podIps);
      } catch (error) {
        if (error instanceof PodFailure) throw error;
        throw new PodFailure('CreateContainerConfigError', messageOf(error), error);
      }
    },
  };
}

function notFound(kind: 'ConfigMap' | 'Secret', name: string): PodFailure {
  return new PodFailure('CreateContainerConfigError', `${kind.toLowerCase()} "${name}" not found`);
}

/** What is known already; none rather than waiting. */
async function listedServices(services: Services): Promise<readonly V1Service[]> {
  const known = services.services().catch((): readonly V1Service[] => []);
  const moment = new Promise<readonly V1Service[]>((resolve) => {
    setImmediate(() => resolve([]));
  });
  return Promise.race([known, moment]);
}

function decode(data: Source): Source {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  );
}

/** v1.20 `apimachinery/pkg/util/validation` `IsEnvVarName`. */
function isVariableName(name: string): boolean {
  return /^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name) && name !== '.' && !name.startsWith('..');
}
