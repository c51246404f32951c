import { StringDecoder } from 'node:string_decoder';

/** Cuts bytes into lines without their line ends; a character or line may span chunks. */
export interface LineSplitter {
  push(chunk: Uint8Array): readonly string[];
  /** What came after the last line end, if anything. */
  end(): readonly string[];
}

/** Lines end in \n or \r\n, as container logs and Docker's JSON streams have them. UTF-8. */
export function makeLineSplitter(): LineSplitter {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const cut = (text: string) => text.replace(/\r$/, '');
  return {
    push(chunk) {
      const text = decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      if (!text.includes('\n')) {
        rest += text;
        return [];
      }
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      return parts.map(cut);
    },
    end() {
      const last = rest + decoder.end();
      rest = '';
      return last === '' ? [] : [cut(last)];
    },
  };
}
