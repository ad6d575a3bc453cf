# Makes a C++ source of a text file: portcullis_embed(OUT FILE HEADER NAMESPACE SYMBOL). Configured anew when the file changes.
function(portcullis_embed out file header namespace symbol)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${file})
  file(READ ${CMAKE_SOURCE_DIR}/${file} text)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT "// Made of @file@.\n#include \"@header@\"\n\nnamespace @namespace@ {\nconst std::string_view @symbol@ = R\"embedded(@text@)embedded\";\n}\n")
endfunction()
