/** The process's environment as plain data; everything that depends on it takes it as an argument. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A copy of the environment. The one place in hyperup that reads `process.env`. */
export function readEnvironment(): Environment {
  return { ...process.env };
}

/** The variable's value; an empty one counts as unset. */
export function environmentValue(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === undefined || value === '' ? undefined : value;
}
