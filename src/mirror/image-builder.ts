import type { EmitProgress } from '../base/progress.js';
import type { BuildRecipe } from '../release/types.js';

/** Makes an image from the distribution's packages; the last resort of `obtainImages`. */
export interface ImageBuilder {
  /** False where this host can't build that recipe. */
  canBuild(recipe: BuildRecipe): boolean;
  /** Builds and tags it as `reference`; throws `BuildFailed`. Never called twice at once. */
  build(
    recipe: BuildRecipe,
    reference: string,
    options: { readonly emit: EmitProgress; readonly signal: AbortSignal | undefined },
  ): Promise<void>;
}
