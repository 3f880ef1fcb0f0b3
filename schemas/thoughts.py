def split_thoughts(text):
    end = text.rfind("</think>")
    answer = text if end < 0 else text[end + 8 :]
    return ("" if "<think>" in answer[:20] else answer), None
