/** Of the young half's 1 MB that the throw-away array for each read piece takes, by the piece's size. */
const bytesPerWord = 16;
/** Larger arrays would go where only a whole collection finds them. */
const maxWords = 8 * 1024;

/**
 * Gives a function to be told of each piece that was read from a socket. V8 counts a piece's memory as part of its heap,
 * but the small object that stands for it hardly fills the young half: it would collect the whole heap for each few MB
 * that are copied, which takes longer than the copying. Throw-away arrays fill the young half in time, and its
 * collection, some 0.2 ms, frees the pieces.
 */
export function makeYoungCollection(): (pieceBytes: number) => void {
  let waste: unknown;
  return (pieceBytes) => {
    const words = Math.min(Math.floor(pieceBytes / bytesPerWord), maxWords);
    // Kept until the next, else the compiler could leave it out.
    if (words !== 0) waste = new Array(words);
    void waste;
  };
}
