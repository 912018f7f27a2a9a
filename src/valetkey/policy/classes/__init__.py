"""What class a tool is of: the lexicons as data, how words and fields are read, and the algebra over what they say."""
